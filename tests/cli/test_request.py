"""Errors of a training's request come before anything is written."""

from types import SimpleNamespace

import pytest

from pointins_ext.cli.request import check_config, shared_among
from pointins_ext.host import Config


def request(tmp_path, num_gpus=1, **cfg):
    check_config(Config(dict(batch_size=4, **cfg)), SimpleNamespace(num_gpus=num_gpus, num_machines=1))


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_a_batch_must_be_shared_among_the_processes(tmp_path, monkeypatch):
    request(tmp_path, num_gpus=2)
    request(tmp_path, num_gpus=0)
    with pytest.raises(ValueError, match="batch_size = 4 must be a multiple of the number of processes, 3"):
        request(tmp_path, num_gpus=3)
    monkeypatch.setenv("WORLD_SIZE", "8")  # torchrun's word counts
    with pytest.raises(ValueError, match="number of processes, 8"):
        request(tmp_path, num_gpus=1)


@pytest.mark.parametrize(
    ("batch", "found", "fitting"), [(2, 4, 2), (96, 8, 8), (6, 4, 3), (7, 4, 1), (1, 3, 1), (12, 8, 6)]
)
def test_the_gpus_of_a_training_are_those_that_can_share_its_batch(tiny_config, tmp_path, batch, found, fitting):
    words = ["--config-file", str(tiny_config), "--num-gpus", str(found), "--options", f"save_path={tmp_path / 'run'}"]
    assert shared_among([*words, f"batch_size={batch}"], found) == fitting
    assert not (tmp_path / "run").exists()


def test_a_weight_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.pth"):
        request(tmp_path, weight=str(tmp_path / "gone.pth"))

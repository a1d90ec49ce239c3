import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pointins_ext.checkpoint import read_checkpoint
from pointins_ext.embedded.defaults import default_config_parser, default_setup
from pointins_ext.embedded.registry import TRAINERS
from tests.fixtures.tiny_views import CONFIG

pytestmark = pytest.mark.usefixtures("hidden_gpus")

ROOT = Path(__file__).parents[2]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
CONSTANT = dict(
    type="OneCycleLR", max_lr=1.0, div_factor=1.0, final_div_factor=1.0, cycle_momentum=False, _delete_=True
)
OPTIONS = {
    "batch_size": 8,
    "epoch": 2,
    "data.train.noise": 0.0,
    "model.dropout": 0.0,
    "optimizer.type": "SGD",
    "optimizer.lr": 1.0,
    "scheduler": CONSTANT,
}


def test_two_processes_equal_one_on_the_whole_batch(build_trainer, tiny_config, tmp_path):
    """SGD with lr 1: two steps, so equal weights mean equal gradients; the second sees what the first synchronized."""
    trainer = build_trainer("one", **{key.replace(".", "__"): value for key, value in OPTIONS.items()})
    start = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    config = tmp_path / "two.py"
    config.write_text(f"_base_ = '{tiny_config}'\nscheduler = {CONSTANT}\n")
    options = [f"{key}={value}" for key, value in OPTIONS.items() if key != "scheduler"]
    finished = run(TORCHRUN, config, tmp_path / "two", options)
    assert finished.returncode == 0, finished.stderr
    assert "processes: 2" in finished.stdout
    found = read_checkpoint(tmp_path / "two" / "model" / "model_last.pth")
    assert len(found["rng"]) == 2
    for name, value in trainer.model.state_dict().items():
        assert (value.cpu() - start[name].cpu()).abs().max() > 1e-3
        torch.testing.assert_close(found["state_dict"][name], value.cpu(), rtol=0, atol=1e-6)


def test_pointins_on_two_processes_equals_one_on_the_whole_batch(tmp_path):
    """Two SGD steps with the offset loss on, the second after a synchronized first: gradients of every parameter."""
    config = tmp_path / "pointins.py"
    config.write_text(CONFIG)
    cfg = default_config_parser(config, dict(save_path=str(tmp_path / "one")))
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=default_setup(cfg)))
    start = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    finished = run(TORCHRUN, config, tmp_path / "two", [])
    assert finished.returncode == 0, finished.stderr
    found = read_checkpoint(tmp_path / "two" / "model" / "model_last.pth")["state_dict"]
    for name, parameter in trainer.model.pretrainer.named_parameters():
        moved = (parameter.detach().cpu() - start[name].cpu()).abs().max()
        assert moved > 0 or ".cpe." in name, name
        assert (found[name] - parameter.detach().cpu()).abs().max() <= 1e-6 + 1e-4 * moved, name


def test_processes_skip_a_batch_together(tiny_config, tmp_path):
    """The bad scene is with one process only; the other must not wait for its gradients."""
    options = ["data.train.bad_scene=3", "skip_nonfinite=True", "batch_size=2", "epoch=2"]
    finished = run(TORCHRUN, tiny_config, tmp_path / "two", options)
    assert finished.returncode == 0, finished.stderr
    log = (tmp_path / "two" / "train.log").read_text() + finished.stdout
    assert "scene3" in log and "Skipped, the 2. of this run" in log
    found = read_checkpoint(tmp_path / "two" / "model" / "model_last.pth")["state_dict"]
    assert all(torch.isfinite(value).all() for value in found.values())


@pytest.mark.slow
def test_spawned_processes_import_what_the_config_imports(tiny_config, tmp_path):
    finished = run([], tiny_config, tmp_path / "spawned", ["epoch=1"], "--num-gpus=2")
    assert finished.returncode == 0, finished.stderr
    assert len(read_checkpoint(tmp_path / "spawned" / "model" / "model_last.pth")["rng"]) == 2
    failed = run([], tiny_config, tmp_path / "spawned", ["weight=none.pth"], "--num-gpus=2")
    assert failed.returncode == 2 and "error: checkpoint none.pth not found" in failed.stderr
    assert "Traceback" not in failed.stderr


def run(launcher, config, save_path, options, *flags):
    command = [sys.executable, *launcher, "tools/train.py", *flags, "--config-file", config]
    cpu = dict(PYTHONPATH=str(ROOT), POINTINS_HOST="embedded", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    return subprocess.run(
        [*command, "--options", f"save_path={save_path}", *options],
        cwd=ROOT,
        env=dict(os.environ, **cpu),
        capture_output=True,
        text=True,
        timeout=120,
    )

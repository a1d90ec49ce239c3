"""Starting the processes of a run: in place, by spawning, or as torchrun started us."""

import os

import pytest
import torch.multiprocessing as mp

from pointins_ext.engine import comm, launch


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def note(folder):
    """What a process of a run sees of it."""
    found = comm.get_rank(), comm.get_world_size(), comm.get_local_rank(), mp.get_start_method()
    with open(os.path.join(folder, str(comm.get_rank())), "w") as stream:
        stream.write(repr((*found, comm.all_gather(comm.get_rank()))))


@pytest.mark.parametrize("num_gpus", [0, 1])
def test_a_run_of_one_stays_in_this_process(num_gpus):
    seen = []
    launch.launch(lambda *cfg: seen.append((os.getpid(), cfg)), num_gpus, cfg=("a", 1))
    assert seen == [(os.getpid(), ("a", 1))]


def test_spawned_processes_form_a_group_and_their_data_workers_fork(tmp_path):
    """Spawned workers would import everything again, in every process."""
    launch.launch(note, 2, cfg=(str(tmp_path),))
    assert [eval((tmp_path / str(rank)).read_text()) for rank in (0, 1)] == [(r, 2, r, "fork", [0, 1]) for r in (0, 1)]


def test_what_torchrun_says_decides(monkeypatch):
    for name, value in dict(RANK=0, WORLD_SIZE=1, MASTER_ADDR="127.0.0.1").items():
        monkeypatch.setenv(name, str(value))
    seen = []
    launch.launch(seen.append, num_gpus_per_machine=4, cfg=("here",))
    assert seen == ["here"]


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(launch.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(launch.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="2 GPUs asked, 1 found; lower -g / --num-gpus"):
        launch.launch(print, 2)


def test_several_machines_need_an_address():
    with pytest.raises(ValueError, match="address of machine 0: --dist-url"):
        launch.launch(print, 1, num_machines=2)

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from pointins_ext.hooks import scene_pool as pools
from pointins_ext.hooks.scene_pool import fitting_processes, scene_pool

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def cores(monkeypatch):
    """A machine of 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)


@pytest.mark.parametrize(
    "device, num_scenes, world_size, expected",
    [(GPU, 12, 1, 12), (GPU, 12, 2, 8), (GPU, 12, 32, 1), (GPU, 1, 1, 1), (CPU, 12, 1, 1)],
)
def test_scenes_and_cores_bound_the_processes(cores, device, num_scenes, world_size, expected):
    assert fitting_processes(device, num_scenes, world_size) == expected


def test_where_nothing_can_be_forked_there_is_one(cores, monkeypatch):
    monkeypatch.setattr(pools.sys, "platform", "darwin")
    assert fitting_processes(GPU, 12, 1) == 1


def test_workers_are_others_of_one_thread_and_leave_ctrl_c_to_the_training():
    with scene_pool(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(torch.get_num_threads).result() == 1
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN


def test_no_worker_outlives_a_training_that_is_killed():
    code = (
        "import os, time; from pointins_ext.hooks.scene_pool import scene_pool; pool = scene_pool(2)\n"
        "print(pool.submit(os.getpid).result(), flush=True); time.sleep(60)"
    )
    environment = dict(os.environ, POINTINS_HOST="embedded")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as training:
        worker = int(training.stdout.readline())
        assert alive(worker)
        training.kill()
    deadline = time.monotonic() + 10
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(worker)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"  # a zombie waits for init alone
    except FileNotFoundError:
        return False

"""Processes in which the scenes of a batch are cut side by side: on a GPU one core would keep the step waiting."""

import ctypes
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

PR_SET_PDEATHSIG = 1  # of Linux's prctl


def fitting_processes(device: torch.device, num_scenes: int, world_size: int) -> int:
    """How many processes to take for `num_scenes` a step, at least 1: this one alone.

    As many as there are cores for each of the `world_size` processes of a training on GPUs. On a CPU the network has
    the cores: two processes on two of them gain nothing. macOS and Windows cannot fork.
    """
    if device.type == "cpu" or not sys.platform.startswith("linux"):
        return 1
    return max(1, min(num_scenes, len(os.sched_getaffinity(0)) // world_size))


def scene_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose workers are forked now, as those of a DataLoader are: before threads, windows and GPU caches grow.

    Raises BrokenProcessPool where one of them ends before its time.
    """
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin, (os.getpid(),))
    pool.submit(os.getpid).result()
    return pool


def _begin(parent: int) -> None:
    """In a worker: one thread; Ctrl-C is for the training to answer; no worker outlives it, holding memory of a GPU."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could tell
        os._exit(1)

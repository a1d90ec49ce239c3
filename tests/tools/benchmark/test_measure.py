"""How the benchmark measures a case."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark import measure
from benchmark.cases import CASES
from benchmark.pairs import Case, Pair


def test_a_case_leaves_nothing_for_the_next():
    """Stand-ins for what Pointcept misses stay in sys.modules."""
    measure.apart(exec, "import sys; sys.modules['left'] = sys.modules['sys']")
    assert not measure.apart(eval, "'left' in __import__('sys').modules")


def test_a_case_is_measured_in_turns(monkeypatch):
    calls = []
    pair = Pair(lambda: calls.append("a"), lambda: calls.append("b"), points=5, scale=0.5)
    monkeypatch.setitem(CASES, "odr", Case("nothing", lambda device, quick: pair, {"cpu": 1.0}))
    threads = torch.get_num_threads()
    figures = measure.measure("odr", "cpu", True, 3)
    torch.set_num_threads(threads)
    assert calls == ["a", "b"] * 5 + ["a"]  # once to warm up, once for the memory, and A for its work
    assert figures["points"] == 5 and figures["quartiles"][0] <= figures["ratio"] <= figures["quartiles"][1]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells a peak of memory")
def test_memory_is_what_a_call_adds():
    for _ in range(2):  # the second call may not profit from the pages of the first
        found = measure.peak_memory(lambda: [np.ones(2**13) for _ in range(2**12)], "cpu")
        assert 0.9 * 2**28 < found < 1.3 * 2**28


def test_waits_for_the_gpu_are_counted(monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)

    def call():
        for text in (
            "called a synchronizing CUDA operation",
            "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations",
            "something else",
            "called a synchronizing CUDA operation",
        ):
            warnings.warn(text, stacklevel=1)

    assert measure.synchronizations(call, "cuda") == 2 and modes == ["warn", "default"]
    assert measure.synchronizations(call, "cpu") is None

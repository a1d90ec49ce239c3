"""One GPU for every test of this folder: a real one, or else the pretended one of `tests/oracles/pretend_cuda.py`."""

import warnings

import pytest
import torch

from tests.oracles import pretend_cuda

REAL = torch.cuda.is_available()


@pytest.fixture
def device():
    if REAL:
        yield pretend_cuda.CUDA
        return
    if reason := pretend_cuda.why_not():
        pytest.skip(reason)
    with pretend_cuda.pretend():
        yield pretend_cuda.CUDA


@pytest.fixture
def waits_of(device):
    """waits_of(call) -> how often the host waits for the GPU meanwhile."""
    return _noticed if REAL else _pretended


def _pretended(call):
    before = sum(pretend_cuda.waits.values())
    call()
    return sum(pretend_cuda.waits.values()) - before


def _noticed(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(warning.message) for warning in caught)

"""One GPU for every test of this folder: a real one, or else the pretended one of `tests/oracles/pretend_cuda.py`."""

import functools

import pytest
import torch

from benchmark.measure import synchronizations
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
    return functools.partial(synchronizations, device="cuda") if REAL else _pretended


def _pretended(call):
    before = sum(pretend_cuda.waits.values())
    call()
    return sum(pretend_cuda.waits.values()) - before

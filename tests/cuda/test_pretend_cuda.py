"""The pretended GPU: it refuses what a GPU refuses, and counts what the host waits for."""

import sys
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from pointins_ext.ops import segment, segment_mean
from pointins_ext.ops.voxels import sorted_runs
from tests.cuda.conftest import REAL
from tests.oracles.pretend_cuda import pretend, why_not

pytestmark = pytest.mark.skipif(REAL or bool(why_not()), reason=why_not() or "there is a GPU")


@pytest.fixture
def waits():
    with pretend() as waits:
        yield waits


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: here + there,
        lambda here, there: here @ there.T,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: torch.where(here > 0, here, there),
        lambda here, there: here.index_add_(0, torch.tensor([0], device=here.device), there[:1]),
        lambda here, there: there[here[:, 0] > 0],
        lambda here, there: here.__setitem__(slice(0, 2), there[:1].double()) or here + there,
        lambda here, there: torch.nn.Linear(2, 2)(here),
        lambda here, there: here.numpy(),
        lambda here, there: np.asarray(here),
    ],
)
def test_two_devices_do_not_mix(waits, mix):
    with pytest.raises((RuntimeError, TypeError), match="device|numpy"):
        mix(torch.ones(3, 2, device="cuda"), torch.ones(3, 2))


def test_a_tensor_on_the_wrong_device_inside_our_code_is_caught(waits, monkeypatch):
    """The planted fault: counts that are made on the CPU."""
    group = torch.tensor([0, 1, 1], device="cuda")
    value = torch.ones(3, 2, device="cuda")
    assert segment_mean(value, group, 2).is_cuda
    monkeypatch.setattr(segment, "segment_count", lambda group, number: torch.ones(number, dtype=torch.long))
    with pytest.raises(RuntimeError, match="same device"):
        segment_mean(value, group, 2)


@pytest.mark.parametrize(
    ("number", "call"),
    [
        (1, lambda x: x.sum().item()),
        (1, lambda x: bool((x > 0).any())),
        (1, lambda x: x.cpu()),
        (1, lambda x: x.tolist()),
        (1, lambda x: x.nonzero()),
        (1, lambda x: x[x > 0]),
        (1, lambda x: x.unique()),
        (1, lambda x: torch.equal(x, x)),
        (1, lambda x: torch.tensor([1.0], device=x.device)),
        (1, lambda x: x.long().repeat_interleave(x.long())),
        (2, lambda x: x.long().bincount(minlength=9)),
        (0, lambda x: x.long().repeat_interleave(x.long(), output_size=6)),
        (0, lambda x: x.to("cpu", non_blocking=True)),
        (0, lambda x: x.masked_fill(x > 0, 1.0).sort().values.cumsum(0)),
        (0, lambda x: x.new_zeros(9).index_add_(0, x.long(), x)),
    ],
)
def test_waits_are_counted(waits, number, call):
    x = torch.arange(4.0).to("cuda")
    waits.clear()
    call(x)
    assert sum(waits.values()) == number and len(waits) <= 1


def test_waits_name_the_line_of_the_package(waits):
    points = torch.rand(9, 3, device="cuda")
    waits.clear()
    group = torch.zeros(9, dtype=torch.long, device="cuda")
    segment.segment_rank(points[:, 0], group, 1)
    assert not waits
    sorted_runs(group)
    assert [(operator, place.partition(":")[0]) for operator, place in waits] == [("nonzero", "ops/voxels.py")]


def test_gradients_and_half_precision_are_those_of_the_cpu(waits):
    """With CUDA's lists of autocast: a norm is taken in full precision, a product in half."""
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(3, 3), torch.randn(5, 3)
    functional.normalize(layer(x), dim=1).square()[:, 0].sum().backward()
    other = torch.nn.Linear(3, 3)
    other.load_state_dict(layer.state_dict())
    other.to("cuda")
    functional.normalize(other(x.to("cuda")), dim=1).square()[:, 0].sum().backward()
    assert other.weight.grad.is_cuda and torch.equal(other.weight.grad.cpu(), layer.weight.grad)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        product = other(x.to("cuda"))
        assert product.dtype == torch.bfloat16 and product.norm(dim=1).dtype == torch.float32


def test_afterwards_nothing_is_left():
    before = Counter(id(getattr(torch.cuda, name)) for name in dir(torch.cuda))
    with pretend():
        assert torch.cuda.is_available() and torch.zeros(1, device="cuda").is_cuda
    assert Counter(id(getattr(torch.cuda, name)) for name in dir(torch.cuda)) == before
    assert not torch.cuda.is_available() and "pretend" not in str(sys.modules["torch"].Tensor.pin_memory)

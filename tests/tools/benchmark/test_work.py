"""What the benchmark counts as work: by hand for calls whose operations and bytes are known."""

import pytest
import torch

from benchmark.measure import ceiling
from benchmark.record import achieved
from benchmark.work import work
from tests.fixtures.benchmark_rows import row

A, B, C = torch.rand(10, 20), torch.rand(20, 30), torch.rand(10, 20)


@pytest.mark.parametrize(
    ("call", "flops", "numbers"),
    [
        (lambda: A @ B, 2 * 10 * 20 * 30, 10 * 20 + 20 * 30 + 10 * 30),
        (lambda: A + C, 0, 3 * 10 * 20),
        (lambda: C.add_(A), 0, 2 * 10 * 20),
        (lambda: A.T.reshape(-1)[:5], 0, 2 * 10 * 20),  # reshape copies; views move nothing
        (lambda: A.view(-1), 0, 0),
    ],
)
def test_operations_and_bytes_by_hand(call, flops, numbers):
    assert work(call) == dict(flops=flops, bytes=4 * numbers)


def test_backward_is_counted_too():
    weight = torch.rand(20, 30, requires_grad=True)
    assert work(lambda: (A @ weight).sum().backward())["flops"] == 2 * (2 * 10 * 20 * 30)  # A needs no gradient


def test_the_ceiling_is_measured():
    found = ceiling("cpu")
    assert found["flops"] > 1e8 and found["bytes"] > 1e8


def test_what_is_achieved():
    assert (
        achieved(row(0.4)) == "2.00 GFLOP at 20.0 GFLOP/s, 25% of the ceiling; 1.00 GB at 10.0 GB/s, 50% of the ceiling"
    )

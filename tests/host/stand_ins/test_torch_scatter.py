"""Segments are reduced like slices."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.host.stand_ins import torch_scatter
from tests.fixtures.clouds import quick, seeds

NUMPY = dict(sum=np.sum, mean=np.mean, min=np.min, max=np.max)


def ragged(seed, channels=2):
    """Values (N, C) and the sorted segment of each, some segments empty."""
    generator = np.random.default_rng(seed)
    index = np.sort(generator.integers(0, 6, generator.integers(1, 30)))
    return torch.from_numpy(generator.normal(size=(len(index), channels))).float(), torch.from_numpy(index)


@quick
@given(seeds, st.sampled_from(sorted(NUMPY)))
def test_segments_are_reduced_like_slices(seed, reduce):
    value, index = ragged(seed)
    size = int(index[-1]) + 1
    expected = np.zeros((size, 2), np.float32)
    for i in set(index.tolist()):
        expected[i] = NUMPY[reduce](value[index == i].numpy(), axis=0)
    indptr = torch.searchsorted(index, torch.arange(size + 1))
    for found in (
        torch_scatter.segment_csr(value, indptr, reduce=reduce),
        torch_scatter.segment_coo(value, index, reduce=reduce),
        torch_scatter.scatter(value, index, dim=0, reduce=reduce),
        torch_scatter.scatter(value.T, index, dim=-1, reduce=reduce).T,
    ):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
    shuffled = torch.randperm(len(index))
    found = torch_scatter.scatter(value[shuffled], index[shuffled], dim=0, dim_size=9, reduce=reduce)
    np.testing.assert_allclose(found[:size].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert found.shape == (9, 2) and (found[size:] == 0).all()


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_segments_pass_the_gradient_and_empty_ones_none(reduce):
    value = torch.tensor([1.0, 3.0, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    indptr = torch.tensor([0, 2, 2, 4])
    assert torch.autograd.gradcheck(lambda v: torch_scatter.segment_csr(v, indptr, reduce=reduce), value)


def test_integers_keep_their_type_and_minima_their_position():
    value = torch.tensor([[5, 1], [3, 1], [7, -2], [3, 9]])
    low, position = torch_scatter.scatter_min(value, torch.tensor([1, 1, 0, 1]), dim=0)
    assert low.tolist() == [[7, -2], [3, 1]] and low.dtype == torch.long
    assert position.tolist() == [[2, 2], [1, 0]]
    high, position = torch_scatter.scatter_max(value, torch.tensor([3, 1, 1, 3]), dim=0)
    assert high[1].tolist() == [7, 1] and high[3].tolist() == [5, 9] and position[0].tolist() == [4, 4]
    assert torch_scatter.segment_coo(value, torch.tensor([0, 0, 2, 2]), reduce="min").tolist() == [
        [3, 1],
        [0, 0],
        [3, -2],
    ]

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from pointins_ext.ops import segment_count, segment_max, segment_mean, segment_rank, segment_sum

NUM_GROUPS = 4
# few distinct values, so that ties are common
points = st.lists(st.tuples(st.integers(0, NUM_GROUPS - 1), st.integers(-3, 3)), max_size=40)


def reduce_by_loop(value, group, reduce):
    rows = [value[group == g] for g in range(NUM_GROUPS)]
    return torch.stack([reduce(row) if len(row) else torch.zeros(value.shape[1:]) for row in rows])


@settings(deadline=None, max_examples=40)
@given(points, st.sampled_from([(), (3,), (2, 3)]))
def test_reductions_equal_a_loop_over_groups(entries, trailing):
    group = torch.tensor([g for g, _ in entries], dtype=torch.long)
    value = torch.tensor([float(v) for _, v in entries]).view(-1, *[1] * len(trailing))
    value = value + torch.arange(float(np.prod(trailing, dtype=int))).view(trailing)
    assert torch.equal(segment_count(group, NUM_GROUPS), (group == torch.arange(NUM_GROUPS)[:, None]).sum(1))
    assert torch.equal(segment_sum(value, group, NUM_GROUPS), reduce_by_loop(value, group, lambda row: row.sum(0)))
    assert torch.equal(segment_max(value, group, NUM_GROUPS), reduce_by_loop(value, group, lambda row: row.amax(0)))
    torch.testing.assert_close(
        segment_mean(value, group, NUM_GROUPS), reduce_by_loop(value, group, lambda row: row.mean(0))
    )


@settings(deadline=None, max_examples=60)
@given(points)
def test_rank_equals_scipy_in_every_group(entries):
    group = np.array([g for g, _ in entries], dtype=np.int64)
    value = np.array([v for _, v in entries], dtype=np.float32)
    expected = np.zeros(len(entries))
    for g in range(NUM_GROUPS):
        expected[group == g] = rankdata(value[group == g], method="average")
    rank = segment_rank(torch.from_numpy(value), torch.from_numpy(group), NUM_GROUPS)
    assert np.array_equal(rank.numpy(), expected)


def test_rank_ignores_the_sign_of_zero():
    assert segment_rank(torch.tensor([0.0, -0.0, 1.0]), torch.zeros(3, dtype=torch.long), 1).tolist() == [1.5, 1.5, 3]


@pytest.mark.parametrize("reduce", [segment_sum, segment_mean, segment_max])
def test_gradients_equal_finite_differences(reduce):
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(12, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    group = torch.randint(3, (12,), generator=generator)
    assert torch.autograd.gradcheck(lambda v: reduce(v, group, NUM_GROUPS), value)


def test_golden():
    value, group = torch.tensor([1.0, 5.0, -2.0, -7.0]), torch.tensor([2, 0, 2, 3])
    assert segment_sum(value, group, 4).tolist() == [5, 0, -1, -7]
    assert segment_max(value, group, 4).tolist() == [5, 0, 1, -7]
    assert segment_mean(value, group, 4).tolist() == [5, 0, -0.5, -7]

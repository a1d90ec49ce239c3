"""Sorting keys on the CPU is torch's stable sort, however many bits they have."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops.sort import stable_sort


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(0, 5), max_size=30),
    st.sampled_from([1, 3, 2**31, 2**57, 2**60]),
    st.sampled_from([0, -1, 2**40]),
)
def test_it_is_torch_s_stable_sort(values, scale, shift):
    key = torch.tensor(values, dtype=torch.long) * scale + shift
    for mine, theirs in zip(stable_sort(key), torch.sort(key, stable=True), strict=True):
        assert torch.equal(mine, theirs)


def test_it_leaves_its_input_as_it_is():
    key = torch.tensor([3, 1, 2])
    stable_sort(key)
    assert key.tolist() == [3, 1, 2]

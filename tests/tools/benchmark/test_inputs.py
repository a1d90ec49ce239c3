"""The rooms that the benchmark works on."""

import pytest
import torch

from benchmark.inputs import voxels


def test_rooms_of_one_group_do_not_meet():
    coord, *_, group = voxels(16_000, 1, one_group=True)
    apart, *_, room = voxels(16_000, 1)
    assert not group.any()
    low, high = (torch.stack([f(coord[room == r]) for r in (0, 1)]) for f in (lambda c: c.amin(0), lambda c: c.amax(0)))
    assert ((low[1] > high[0]) | (low[0] > high[1])).any()
    with pytest.raises(ValueError, match="900 voxels wanted"):
        voxels(900, 1, grid=2.0)

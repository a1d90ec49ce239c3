"""Nearest neighbors of packed clouds."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.host.stand_ins import pointops
from tests.fixtures.clouds import clouds, quick, seeds


@quick
@given(seeds, st.integers(1, 4))
def test_nearest_neighbors_stay_in_their_cloud(seed, k):
    xyz, offset = clouds(seed, [5, 3, 7])
    query, query_offset = clouds(seed + 1, [2, 6, 1])
    index, distance = pointops.knn_query(k, xyz, offset.int(), query, query_offset.int())
    assert index.dtype == torch.int32 and index.shape == distance.shape == (9, k)
    start = [0, 5, 8]
    for i in range(9):
        cloud = int(torch.searchsorted(query_offset, i, right=True))
        own = slice(start[cloud], int(offset[cloud]))
        expected = (xyz[own] - query[i]).norm(dim=1).sort().values[:k]
        count = len(expected)
        torch.testing.assert_close(distance[i, :count], expected)
        torch.testing.assert_close((xyz[index[i, :count].long()] - query[i]).norm(dim=1), expected)
        assert (index[i, count:] == -1).all() and (distance[i, count:] == pointops.MISSING).all()

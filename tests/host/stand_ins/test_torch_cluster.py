"""k nearest neighbors as pairs."""

import torch

from pointins_ext.host.stand_ins import pointops, torch_cluster
from tests.fixtures.clouds import clouds


def test_without_a_query_points_find_themselves_and_knn_pairs_agree():
    xyz, offset = clouds(0, [4, 6])
    index, distance = pointops.knn_query(1, xyz, offset)
    assert index.squeeze(1).tolist() == list(range(10)) and float(distance.max()) == 0
    batch = torch.tensor([0] * 4 + [1] * 6)
    query, support = torch_cluster.knn(xyz, xyz + 1e-4, 2, batch, batch)
    assert query.tolist() == sorted(list(range(10)) * 2) and (batch[query] == batch[support]).all()
    assert support[::2].tolist() == list(range(10))

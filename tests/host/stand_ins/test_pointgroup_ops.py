"""Ball query and clusters."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.host.stand_ins import pointgroup_ops
from tests.fixtures.clouds import clouds, quick, seeds


def search_from_point_0_upwards(label, coord, batch, radius, threshold):
    """Breadth-first search over all pairs, as PointGroup defines it."""
    near = (coord[:, None] - coord[None]).norm(dim=2) < radius
    near &= (batch[:, None] == batch[None]) & (label[:, None] == label[None])
    seen, clusters = set(), []
    for seed in range(len(label)):
        if seed in seen:
            continue
        found, queue = {seed}, [seed]
        while queue:
            for other in near[queue.pop()].nonzero().squeeze(1).tolist():
                if other not in found:
                    found.add(other)
                    queue.append(other)
        seen |= found
        if len(found) >= threshold:
            clusters.append(sorted(found))
    return clusters


@quick
@given(seeds, st.floats(0.2, 1.5), st.integers(1, 4))
def test_clusters_are_those_of_a_breadth_first_search(seed, radius, threshold):
    coord, offset = clouds(seed, [20, 12])
    generator = np.random.default_rng(seed)
    label = torch.from_numpy(generator.integers(0, 2, 32)).int()
    batch = torch.tensor([0] * 20 + [1] * 12).int()
    begin = torch.cat([torch.zeros(1), offset]).int()
    index, start_len = pointgroup_ops.ballquery_batch_p(coord, batch, begin, radius, 300)
    assert index.dtype == start_len.dtype == torch.int32
    assert torch.equal(start_len[:, 0], torch.cat([torch.zeros(1), start_len[:, 1].cumsum(0)[:-1]]).int())
    members, cluster_begin = pointgroup_ops.bfs_cluster(label, index, start_len, threshold)
    found = [
        members[a:b, 1].tolist() for a, b in zip(cluster_begin[:-1].tolist(), cluster_begin[1:].tolist(), strict=True)
    ]
    expected = search_from_point_0_upwards(label, coord, batch, radius, threshold)
    assert [sorted(cluster) for cluster in found] == expected
    assert members[:, 0].tolist() == [i for i, cluster in enumerate(found) for _ in cluster]


def test_a_crowded_ball_keeps_its_first_thousand_points():
    coord = torch.zeros(1200, 3)
    index, start_len = pointgroup_ops.ballquery_batch_p(coord, torch.zeros(1200).int(), torch.tensor([0, 1200]), 1.0, 1)
    assert (start_len[:, 1] == 1000).all() and torch.equal(index[-1000:], torch.arange(1000).int())
    label = torch.zeros(1200).int()
    assert pointgroup_ops.bfs_cluster(label, index, start_len, 50)[1].tolist() == [0, 1200]
    empty = pointgroup_ops.ballquery_batch_p(coord[:0], torch.zeros(0).int(), torch.tensor([0]), 1.0, 1)
    assert [len(part) for part in pointgroup_ops.bfs_cluster(label[:0], *empty, 1)] == [0, 1]

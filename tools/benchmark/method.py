"""Cases of the method: SCR, ODR and clustering against libraries, and how their targets scale."""

from collections import deque

import numpy as np
import torch
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from benchmark.inputs import voxels
from benchmark.pairs import Pair
from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    SpatialClusteringRegularization,
    recover_affine,
    transform_vectors,
)
from pointins_ext.ops import radius_components


def scr(device, quick):
    data = [t.to(device) for t in voxels(10_000 if quick else 100_000, 512)]
    rule = SpatialClusteringRegularization(20, radius=0.12, min_points=10)
    arrays = [t.cpu().numpy() for t in data]
    return Pair(lambda: rule(*data), lambda: reference_scr(*arrays), points=len(data[0]))


def reference_scr(coord, feat, offset, group):
    """SCR of libraries: scikit-learn, SciPy's tree and components; a view after the other."""
    from sklearn.cluster import KMeans

    center = np.empty_like(coord)
    feat = feat / np.linalg.norm(feat, axis=1, keepdims=True)
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        segment = KMeans(20, n_init=1, random_state=0).fit(feat[rows]).labels_
        for cluster in range(20):
            member = rows[segment == cluster]
            shifted = coord[member] + offset[member]
            distance, index = cKDTree(shifted).query(shifted, min(9, len(member)), distance_upper_bound=0.12)
            source = np.repeat(np.arange(len(member)), index.shape[1])[np.isfinite(distance).ravel()]
            target = index[np.isfinite(distance)]
            graph = coo_matrix((np.ones(len(source)), (source, target)), shape=(len(member),) * 2)
            number, label = csgraph.connected_components(graph, directed=False)
            count = np.bincount(label, minlength=number)
            for axis in range(3):
                center[member, axis] = (np.bincount(label, coord[member, axis], number) / count)[label]
    return center


def odr(device, quick):
    _, _, offset, group = (t.to(device) for t in voxels(20_000 if quick else 100_000, 1))
    prior = MagnitudePrior.load("indoor")
    rule = OffsetDistributionRegularization(prior)
    quantiles = prior.quantiles.double().numpy()
    arrays = offset.cpu().numpy(), group.cpu().numpy()
    return Pair(lambda: rule(offset, group), lambda: reference_odr(*arrays, quantiles), points=len(offset))


def reference_odr(offset, group, quantiles):
    """ODR from its definition with scipy.stats.rankdata and numpy.interp; a view after the other."""
    result = np.empty_like(offset)
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        length = np.linalg.norm(offset[rows], axis=1)
        unit = offset[rows] / length[:, None]
        regular = np.stack([2 * (rankdata(unit[:, i]) - 0.5) / len(rows) - 1 for i in range(3)], axis=1)
        regular /= np.linalg.norm(regular, axis=1, keepdims=True)
        level = (rankdata(length) - 0.5) / len(rows)
        result[rows] = np.interp(level, np.linspace(0, 1, len(quantiles)), quantiles)[:, None] * regular
    return result


def components(device, quick):
    coord, _, offset, group = (t.to(device) for t in voxels(20_000 if quick else 200_000, 1))
    center = coord + offset
    arrays = center.cpu().numpy(), group.cpu().numpy()
    return Pair(
        lambda: radius_components(center, 0.06, group), lambda: ball_query_components(*arrays), points=len(center)
    )


def ball_query_components(coord, group, radius=0.06, most=300):
    """PointGroup's clustering from its definition: up to `most` neighbors in a ball, then breadth first."""
    label, number = np.full(len(coord), -1), 0
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        balls = cKDTree(coord[rows]).query_ball_point(coord[rows], radius)
        for start in range(len(rows)):
            if label[rows[start]] >= 0:
                continue
            label[rows[start]] = number
            queue = deque([start])
            while queue:
                for other in balls[queue.popleft()][:most]:
                    if label[rows[other]] < 0:
                        label[rows[other]] = number
                        queue.append(other)
            number += 1
    return label


def scaling(device, quick):
    large, small = (100_000, 10_000) if quick else (1_000_000, 100_000)
    calls = []
    for count in (large, small):
        data = [t.to(device) for t in voxels(count, 64, one_group=True, grid=0.02)]
        calls.append(lambda data=data: targets(*data))
    return Pair(*calls, points=large)


def targets(coord, feat, offset, group):
    """Pose, ODR and SCR of one view that is turned by half a radian."""
    turn = torch.tensor([[0.878, -0.479, 0.0], [0.479, 0.878, 0.0], [0.0, 0.0, 1.0]], device=coord.device)
    affine = recover_affine(coord @ turn, coord, group, 1)
    offset = transform_vectors(affine.matrix, offset @ turn, group)
    offset = OffsetDistributionRegularization("indoor")(offset, group)
    return SpatialClusteringRegularization(20, radius=0.06, min_points=10)(coord, feat, offset, group)

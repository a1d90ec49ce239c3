"""Stand-in for pointgroup_ops: PointGroup's ball query and clustering on SciPy."""

import numpy as np
import torch
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree

MAX_NEIGHBORS = 1000  # of a point, as in the compiled version; the first by index are kept
CHUNK = 1 << 23  # neighbors held as Python lists at once


def ballquery_batch_p(coords, batch_idxs, batch_offsets, radius, meanActive):
    """All points within `radius` of each of `coords` (N,3), in its cloud.

    -> indices (E,) int32 of all balls in a row, and start and length of each ball (N,2) int32. `meanActive` only sized
    a buffer.
    """
    coord = coords.detach().cpu().double().numpy()
    # clouds are layers of a fourth axis, out of each other's reach
    point = np.column_stack([coord, batch_idxs.cpu().numpy() * 2.0 * radius])
    tree = cKDTree(point)
    size = tree.query_ball_point(point, radius, return_length=True) if len(point) else np.zeros(0, np.int64)
    found = []
    for rows in _chunks(size):
        balls = tree.query_ball_point(point[rows], radius, return_sorted=True)
        found += [np.asarray(ball[:MAX_NEIGHBORS], dtype=np.int32) for ball in balls]
    length = np.minimum(size, MAX_NEIGHBORS)
    start_len = np.column_stack([np.cumsum(length) - length, length]).astype(np.int32)
    index = np.concatenate(found) if found else np.zeros(0, np.int32)
    return torch.from_numpy(index).to(coords.device), torch.from_numpy(start_len).to(coords.device)


def bfs_cluster(semantic_label, ball_query_idxs, start_len, threshold):
    """Connected components of neighbors with one label, of at least `threshold` points, in the order of their first.

    -> (P,2) int32 cluster and point, and (C+1,) int32 where each cluster begins.
    """
    label = semantic_label.cpu().numpy()
    length = start_len.cpu().numpy()[:, 1]
    source = np.repeat(np.arange(len(label)), length)
    target = ball_query_idxs.cpu().numpy()
    same = label[source] == label[target]
    edges = coo_matrix((np.ones(same.sum(), bool), (source[same], target[same])), shape=(len(label),) * 2)
    component = csgraph.connected_components(edges, directed=False)[1]
    # numbered by first point, as a search from point 0 upwards finds them
    _, first, component, size = np.unique(component, return_index=True, return_inverse=True, return_counts=True)
    kept = np.argsort(first)
    kept = kept[size[kept] >= threshold]
    number = np.full(len(size), -1)
    number[kept] = np.arange(len(kept))
    cluster = number[component]
    order = np.argsort(cluster, kind="stable")[np.count_nonzero(cluster < 0) :]
    index = np.column_stack([cluster[order], order]).astype(np.int32)
    begin = np.append(0, np.cumsum(size[kept])).astype(np.int32)
    return torch.from_numpy(index), torch.from_numpy(begin)


def _chunks(size):
    """Slices of consecutive points whose balls hold at most CHUNK neighbors together, or that are one point."""
    total = np.cumsum(size)
    begin = 0
    while begin < len(size):
        limit = (total[begin - 1] if begin else 0) + CHUNK
        end = max(begin + 1, int(np.searchsorted(total, limit, side="right")))
        yield slice(begin, end)
        begin = end

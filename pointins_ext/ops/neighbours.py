"""Grouped nearest neighbors: k-d tree on CPU, brute force in bounded chunks on CUDA."""

import numpy as np
import torch
from scipy.spatial import cKDTree

CHUNK_ELEMENTS = 1 << 26  # distances held at once on CUDA (512 MiB in double precision)
CHUNK_QUERIES = 1 << 15  # at once on CPU: small arrays are used again, large ones are new pages every time


@torch.no_grad()
def neighbours(query, support, query_group, support_group, k, radius=None):
    """Indices of the k nearest support points of every query point, within the query's own group.

    query (M, 3), support (N, 3) in one unit; query_group (M,), support_group (N,) long, or None: all are of one group;
    radius in that unit, inclusive.
    -> (M, k) long, nearest first, -1 where the group (or the ball) holds fewer than k points. A point that is in both
    sets finds itself, or one of k others at the very same place. Distances are compared in double precision on every
    device, so large coordinates lose nothing. ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"neighbours needs k >= 1, got {k}")
    if len(query) == 0 or len(support) == 0:
        return torch.full((len(query), k), -1, dtype=torch.long, device=query.device)
    if query_group is None:
        query_group, support_group = (points.new_zeros(len(points), dtype=torch.long) for points in (query, support))
    search = _search_chunks if query.is_cuda else _search_tree
    bound = float("inf") if radius is None else float(radius)
    return search(query.double(), support.double(), query_group, support_group, k, bound)


def _search_tree(query, support, query_group, support_group, k, radius):
    query, support = query.numpy(), support.numpy()
    reach = min(_diagonal(query, support), radius)  # nothing of interest lies farther away
    reach = max(reach * (1 + 1e-6), 1e-100)  # not 0 where all points coincide
    # groups are layers of a 4th axis, more than any reach apart: within a layer distances stay exactly those of 3D
    layer = 2 * reach
    support = np.column_stack([support, support_group.numpy() * layer])
    kept = _few_copies(support, k)
    tree = cKDTree(support[kept], balanced_tree=False)
    kept = np.append(kept, -1)  # the tree's "none" is one past its last point
    level = query_group.numpy() * layer
    result = np.empty((len(query), k), dtype=np.int64)
    for begin in range(0, len(query), CHUNK_QUERIES):
        rows = slice(begin, begin + CHUNK_QUERIES)
        row = np.column_stack([query[rows], level[rows]])
        distance, index = tree.query(row, range(1, k + 1), distance_upper_bound=reach)
        result[rows] = np.where(distance <= radius, kept[index], -1)
    return torch.from_numpy(result)


def _diagonal(*clouds):
    """Diagonal of the box around all clouds; column by column, because numpy reduces rows of three 10 times as slow."""
    edges = [max(cloud[:, i].max() for cloud in clouds) - min(cloud[:, i].min() for cloud in clouds) for i in range(3)]
    return np.linalg.norm(edges)


def _few_copies(point, k):
    """Rows of `point` without the copies beyond the k-th: no query needs them, and all would crowd one leaf."""
    bits = len(point).bit_length() + 1
    hashed = point.view(np.int64) @ 3 ** np.array([11, 19, 29, 39])
    bucket = (hashed >> (64 - bits)) & (2**bits - 1)
    suspect = np.flatnonzero(np.bincount(bucket)[bucket] > k)  # few where copies are few: sorting all takes long
    order = suspect[np.argsort(hashed[suspect], kind="stable")]  # collisions are harmless
    place = np.arange(len(order))
    start = np.zeros_like(place)
    start[1:] = np.where((point[order][1:] != point[order][:-1]).any(axis=1), place[1:], 0)
    kept = np.ones(len(point), bool)
    kept[order[place - np.maximum.accumulate(start) >= k]] = False
    return np.flatnonzero(kept)


def _search_chunks(query, support, query_group, support_group, k, radius):
    query_order = torch.argsort(query_group, stable=True)
    support_order = torch.argsort(support_group, stable=True)
    query, query_group = query[query_order], query_group[query_order]
    support, support_group = support[support_order], support_group[support_order]
    begin = torch.searchsorted(support_group, query_group)
    end = torch.searchsorted(support_group, query_group, right=True)
    result = torch.full((len(query), k), -1, dtype=torch.long, device=query.device)
    rows, edges = _chunks(begin, end)
    for chunk, (lo, hi) in enumerate(edges):
        if lo == hi:
            continue
        row = slice(chunk * rows, (chunk + 1) * rows)
        distance = torch.cdist(query[row], support[lo:hi], compute_mode="donot_use_mm_for_euclid_dist")
        distance.masked_fill_(query_group[row, None] != support_group[None, lo:hi], float("inf"))
        nearest, index = distance.topk(min(k, hi - lo), largest=False)
        found = (nearest <= radius) & nearest.isfinite()
        result[row, : index.shape[1]] = torch.where(found, support_order[lo + index], -1)
    return torch.empty_like(result).index_copy_(0, query_order, result)


def _chunks(begin, end):
    """Queries a chunk, and the support range (begin, end) of each chunk, such that no chunk exceeds the budget."""
    rows = 4096
    while True:
        first = torch.arange(0, len(begin), rows, device=begin.device)
        last = (first + rows - 1).clamp_(max=len(begin) - 1)
        edges = torch.stack([begin[first], end[last]], dim=1).tolist()
        if rows == 1 or rows * max(hi - lo for lo, hi in edges) <= CHUNK_ELEMENTS:
            return rows, edges
        rows //= 2

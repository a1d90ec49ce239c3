"""Grouped nearest neighbors: k-d tree on CPU, on CUDA a hash of cells, or the group where there is no radius."""

import math

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext.ops.segment import segment_count

PAIRS = 1 << 23  # distances held at once on CUDA, some 150 bytes each
MANY_PAIRS = 1 << 28  # above, the tree of the CPU is faster: without a radius, or with thousands of points on one spot
HASH = (0x1D3F5A8B6C2E4971, 0x0B9D7E3A5C1F8263, 0x15C3A9E71B4D6F85)  # odd; sums of the steps to neighbors fit 64 bits
CHUNK_QUERIES = 1 << 15  # at once on CPU: small arrays are used again, large ones are new pages every time


@torch.no_grad()
def neighbours(query, support, query_group, support_group, k, radius=None):
    """Indices of the k nearest support points of every query point, within the query's own group.

    query (M, 3), support (N, 3) in one unit; query_group (M,), support_group (N,) long, or None: all are of one group;
    radius in that unit, inclusive; a number, or a tensor () that no GPU has to be asked for.
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
    search = _search_pairs if query.is_cuda else _search_tree
    bound = float("inf") if radius is None else radius
    return search(query.double(), support.double(), query_group, support_group, k, bound)


def _search_tree(query, support, query_group, support_group, k, radius):
    query, support, radius = query.numpy(), support.numpy(), float(radius)
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


def _search_pairs(query, support, query_group, support_group, k, radius):
    order, begin, end = _candidates(query, support, query_group, support_group, radius)
    number = (end - begin).sum(1)
    total = int(number.sum())
    if total > MANY_PAIRS:
        device = query.device
        query, support, query_group, support_group = (x.cpu() for x in (query, support, query_group, support_group))
        return _search_tree(query, support, query_group, support_group, k, radius).to(device)
    support, support_group = support[order], support_group[order]
    result = torch.full(
        (len(query) * k + 1,), -1, dtype=torch.long, device=query.device
    )  # the last is a place for what is too many
    for first, last, size in _chunks(number, total):
        row, place = _pairs(begin[first:last], end[first:last], size)
        row += first
        distance = (query[row] - support[place]).square_().sum(1).sqrt_()
        near = ((distance <= radius) & (query_group[row] == support_group[place])).nonzero().squeeze(1)
        row, place, distance = row[near], place[near], distance[near]
        sort = distance.argsort()
        sort = sort[row[sort].argsort(stable=True)]  # back to their rows, each nearest first
        found = segment_count(row, len(query))
        rank = torch.arange(len(row), device=row.device) - (found.cumsum(0) - found)[row]
        result[torch.where(rank < k, row * k + rank, len(result) - 1)] = order[place[sort]]
    return result[:-1].view(-1, k)


def _candidates(query, support, query_group, support_group, radius):
    """Where the neighbors of a query can be: the 27 cells of edge `radius` around it, or its group if that is infinite.

    -> order (N,) of the support points and ranges in it that begin and end (M, R): three cells along z are one range.
    """
    if isinstance(radius, float) and math.isinf(radius):
        key, around, reach = support_group, query_group[:, None], 0
    else:
        # a hair longer, so that rounding puts no neighbor two cells away; 2**40 cells hold all coordinates
        farthest = torch.maximum(query.abs().amax(), support.abs().amax())
        side = (farthest * 2.0**-40).clamp(min=1e-300).clamp(min=radius) * (1 + 1e-6)
        key, cell = _cell_hash(support, support_group, side), _cell_hash(query, query_group, side)
        around = torch.stack([cell + dx * HASH[0] + dy * HASH[1] for dx in (-1, 0, 1) for dy in (-1, 0, 1)], dim=1)
        reach = 1
    key, order = torch.sort(key, stable=True)
    return order, torch.searchsorted(key, around - reach), torch.searchsorted(key, around + reach, right=True)


def _cell_hash(point, group, side):
    """(N,) long of the cell of each point; cells along z follow each other.

    Two cells with one hash cost time alone, because distances and groups are compared.
    """
    x, y, z = (point / side).floor_().long().unbind(1)
    return x * HASH[0] + y * HASH[1] + z + group * HASH[2]


def _chunks(number, total):
    """(first query, last, pairs) of runs of queries with about PAIRS pairs; number (M,) of each query, their total."""
    if total <= PAIRS:
        return [(0, len(number), total)]
    seen = number.cumsum(0)
    last = torch.searchsorted(seen, torch.arange(PAIRS, total, PAIRS, device=seen.device)) + 1
    rows, pairs = torch.stack([last, seen[last - 1]]).tolist()
    rows, pairs = [0, *rows, len(number)], [0, *pairs, total]
    steps = zip(rows[:-1], rows[1:], pairs[:-1], pairs[1:], strict=True)
    return [(first, last, after - before) for first, last, before, after in steps if after > before]


def _pairs(begin, end, size):
    """Row (size,) and place (size,) of every place in the ranges begin, end (M, R) of the M rows."""
    count = (end - begin).flatten()
    owner = torch.arange(len(count), device=count.device).repeat_interleave(count, output_size=size)
    shift = begin.flatten() - (count.cumsum(0) - count)
    return owner // begin.shape[1], torch.arange(size, device=count.device) + shift[owner]

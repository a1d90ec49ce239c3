"""Connected components of a graph, and of the ball graph of a point cloud."""

import itertools
import math

import numpy as np
import torch
from scipy.sparse import csgraph, csr_matrix

from pointins_ext.ops.neighbours import neighbours
from pointins_ext.ops.segment import segment_count
from pointins_ext.ops.voxels import sorted_runs

ROUNDS = 4
# columns of cells at most two cells away, one half: the other half is reached from the other side
HALF_SHELL = [step for step in itertools.product(range(-2, 3), repeat=2) if step >= (0, 0)]
NEAR_COLUMNS = [(dx, dy) for dx, dy in HALF_SHELL if max(dx, abs(dy)) <= 1]
FAR_COLUMNS = [step for step in HALF_SHELL if step not in NEAR_COLUMNS]


@torch.no_grad()
def connected_components(source, target, num_nodes):
    """Components of an undirected graph given as an edge list.

    source (E,), target (E,) long in 0..num_nodes-1 -> label (num_nodes,) long 0..C-1, numbered by smallest node.
    """
    label = _label_torch if source.is_cuda else _label_scipy
    return label(source, target, num_nodes)


@torch.no_grad()
def neighbor_components(index):
    """Components of the graph of a table of neighbors, as `neighbours` gives it for the points of one set.

    index (N, k) long, -1 where there is none -> label (N,) long 0..C-1, numbered by smallest node.
    """
    num_nodes, k = index.shape
    index = index.int()
    source = torch.arange(num_nodes, device=index.device, dtype=index.dtype)[:, None].expand_as(index)
    target = torch.where(index < 0, source, index).flatten()  # an edge to itself joins nothing
    if index.is_cuda:
        return _label_torch(source.flatten(), target, num_nodes)
    return _label_rows(target.numpy(), np.arange(0, num_nodes * k + 1, k, dtype=np.int32))


def join_nearest(label, coord, group, radius):
    """Labels (N,) in which each -1 takes that of the nearest labeled point of its group, if one is within `radius`.

    label (N,) long, coord (N, 3), group (N,) long, radius in the unit of coord.
    """
    left, done = (label < 0).nonzero().squeeze(1), (label >= 0).nonzero().squeeze(1)
    nearest = neighbours(coord[left], coord[done], group[left], group[done], k=1, radius=radius).squeeze(1)
    joined = label.clone()
    joined[left[nearest >= 0]] = label[done[nearest[nearest >= 0]]]
    return joined


def _label_scipy(source, target, num_nodes):
    source, target = source.numpy(), target.numpy()
    if np.any(source[1:] < source[:-1]):
        order = np.argsort(source, kind="stable")
        source, target = source[order], target[order]
    start = np.zeros(num_nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(source, minlength=num_nodes), out=start[1:])
    return _label_rows(target, start)


def _label_rows(target, start):
    """Components where the edges of node i lead to target[start[i] : start[i + 1]]."""
    num_nodes = len(start) - 1
    graph = csr_matrix((np.ones(len(target)), target.astype(np.int32, copy=False), start), shape=(num_nodes, num_nodes))
    _, label = csgraph.connected_components(graph, directed=True, connection="weak")
    return _number_by_first(torch.from_numpy(label).long())


def _label_torch(source, target, num_nodes):
    """Min-label hooking and pointer jumping: O(log N) rounds in practice, some at a time, as a GPU waits for a look."""
    root = torch.arange(num_nodes, device=source.device)
    while True:
        for _ in range(ROUNDS):
            a, b = root[source], root[target]
            root.scatter_reduce_(0, torch.maximum(a, b), torch.minimum(a, b), "amin")
            root = root[root[root]]
        if torch.equal(torch.cat([root[source], root]), torch.cat([root[target], root[root]])):
            return torch.unique(root, return_inverse=True)[1]


@torch.no_grad()
def radius_components(coord, radius, group=None):
    """Exact connected components of the ball graph: an edge wherever two points of a group are at most `radius` apart.

    coord (N, 3), radius in the unit of coord, group (N,) long or None (one group) -> label (N,) long 0..C-1, numbered
    by smallest point. ValueError for radius <= 0 and for coordinates that are not finite.
    Near-linear even where thousands of points fall onto one spot, as centers do that are shifted by good offsets: the
    points of a grid cell with diagonal `radius` are connected anyway, so only cells are joined.
    """
    if not radius > 0:
        raise ValueError(f"radius_components needs radius > 0, got {radius}")
    if not coord.isfinite().all():
        raise ValueError("radius_components: coord holds NaN or infinite values")
    if len(coord) == 0:
        return torch.empty(0, dtype=torch.long, device=coord.device)
    group = torch.zeros(len(coord), dtype=torch.long, device=coord.device) if group is None else group
    coord = coord.double()
    key, stride = _cell_keys(coord, radius, group)
    point, start, cell = sorted_runs(key)
    count, start = start.diff(), start[:-1]
    key = key[point[start]]

    # one representative point a cell joins most cells, those of near columns first; pairs that are still apart are
    # tested by the points of far ones, and at last by all points
    first = coord[point[start]].T.contiguous()
    edge, apart = key.new_empty((2, 0)), key.new_empty((2, 0))
    part = torch.arange(len(count), device=key.device)
    for columns in (NEAR_COLUMNS, FAR_COLUMNS):
        joined, parted = [edge], [apart]
        for pair in _neighboring_cells(key, stride, columns):
            pair = _apart(pair, part)
            gap = first.index_select(1, pair[0]) - first.index_select(1, pair[1])
            near = gap.square_().sum(0) <= radius**2
            joined.append(pair[:, near])
            parted.append(pair[:, ~near])
        edge = torch.cat(joined, dim=1)
        part = connected_components(edge[0], edge[1], len(count))
        apart = _apart(torch.cat(parted, dim=1), part)
    touching = apart[:, _cells_touch(coord[point], start, count, apart, radius)]
    edge = torch.cat([edge, touching], dim=1)
    return _number_by_first(connected_components(edge[0], edge[1], len(count))[cell])


def _apart(pair, part):
    """The pairs (2, P) of cells whose parts, of `part` (C,), differ."""
    return pair[:, part.index_select(0, pair[0]) != part.index_select(0, pair[1])]


def _cell_keys(coord, radius, group):
    """Integer of each point's cell (N,), ascending in (group, x, y, z), and cells of the grid along x, y, z."""
    side = radius / math.sqrt(3) * (1 - 1e-9)  # a hair less, so that rounding cannot put too distant points in one cell
    axes = [group, *torch.floor(coord.T / side)]
    if math.prod(float(axis.max() - axis.min()) + 3 for axis in axes) >= 2.0**62:
        axes = [_close_gaps(axis) for axis in axes]
    axes = [(axis - axis.min()).long() for axis in axes]
    stride = [int(axis.max()) + 3 for axis in axes]  # two steps over the edge must not reach the next row
    if math.prod(stride) >= 2**63:
        raise ValueError(f"radius_components: {len(coord)} points are too scattered for a grid of radius {radius}")
    key = axes[0]
    for axis, length in zip(axes[1:], stride[1:], strict=True):
        key = key * length + axis
    return key, stride[1:]


def _neighboring_cells(key, stride, columns):
    """Pairs of cells in these columns that can hold points a radius apart, (2, P) at a time, the first ascending."""
    padded = torch.cat([key, key.new_full((5,), torch.iinfo(key.dtype).max)])
    for dx, dy in columns:
        low, high = (-2, 2) if (dx, dy) > (0, 0) else (1, 2)
        column = key + (dx * stride[1] + dy) * stride[2]
        start = torch.searchsorted(key, column + low)
        for place in range(high - low + 1):  # cells of a column follow each other
            hit = (padded[start + place] <= column + high).nonzero().squeeze(1)
            yield torch.stack([hit, start[hit] + place])


def _close_gaps(cell):
    """Integers from 0 in the order of `cell`, differences of 1 and 2 kept, larger ones cut to 3."""
    level, inverse = torch.unique(cell, return_inverse=True)
    step = torch.diff(level, prepend=level[:1]).clamp_(max=3)
    return step.long().cumsum(0)[inverse]


def _cells_touch(coord, start, count, pair, radius):
    """Whether two cells hold points at most `radius` apart: (P,) bool. Points are sorted by cell."""
    low = torch.segment_reduce(coord, "min", lengths=count, unsafe=True)
    high = torch.segment_reduce(coord, "max", lengths=count, unsafe=True)
    gap = torch.maximum(low[pair[0]] - high[pair[1]], low[pair[1]] - high[pair[0]]).clamp_(min=0)
    touch = gap.norm(dim=1) <= radius * (1 + 1e-9)  # boxes; then the points inside them
    tested = touch.nonzero().squeeze(1)
    (query, query_pair), (support, support_pair) = (_members(pair[side, tested], start, count) for side in (0, 1))
    nearest = neighbours(coord[query], coord[support], query_pair, support_pair, k=1, radius=radius).squeeze(1)
    touch[tested] = segment_count(query_pair[nearest >= 0], len(tested)) > 0
    return touch


def _members(cell, start, count):
    """Points of each listed cell, concatenated, and the position in the list that each belongs to."""
    count = count[cell]
    owner = torch.repeat_interleave(count)
    inside = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    return start[cell][owner] + inside, owner


def _number_by_first(label):
    """Renumber labels 0..C-1 in the order in which they first appear."""
    order = torch.argsort(label, stable=True)
    label, run = torch.unique_consecutive(label[order], return_inverse=True)
    first = order[torch.searchsorted(run, torch.arange(len(label), device=run.device))]
    number = torch.empty_like(first)
    number[torch.argsort(first)] = torch.arange(len(first), device=first.device)
    return torch.empty_like(order).index_copy_(0, order, number[run])

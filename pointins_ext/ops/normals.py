"""Normals of a point cloud from the covariance of every point's neighbors."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csgraph, csr_matrix

from pointins_ext.ops.neighbours import neighbours

CHUNK = 1 << 14  # points whose neighbors are gathered at once
LEVEL = 0.8  # |z| of a normal from which on a surface counts as level


@torch.no_grad()
def estimate_normals(coord, k=16, viewpoint=None, where=None):
    """Unit normals by principal component analysis of the k nearest points, the point itself included.

    coord (N, 3), viewpoint (3,) in the same frame or None -> (N, 3) in coord's dtype. Normals face the viewpoint, or
    upwards (+z) without one. Where all k points coincide there is no plane and the normal is +z. With `where` (N,)
    bool, the normals of these points alone, (M, 3).
    """
    point = coord if where is None else coord[where]
    index = neighbours(point, coord, None, None, k)
    normal = torch.empty(len(point), 3, dtype=torch.float64, device=coord.device)
    position, point = coord.double(), point.double()  # differences of large coordinates keep their digits
    for rows in torch.arange(len(point), device=coord.device).split(CHUNK):
        normal[rows] = _smallest_axis(position, point[rows], index[rows])
    towards = normal[:, 2] if viewpoint is None else ((_as_point(viewpoint, position) - point) * normal).sum(1)
    return torch.where((towards < 0)[:, None], -normal, normal).to(coord.dtype)


@torch.no_grad()
def orient_normals(coord, normal, k=8):
    """Normals turned so that those of neighbors agree, and what is level faces up: floors, table tops, lids.

    coord (N, 3), normal (N, 3) unit -> (N, 3): the signs spread along the minimum spanning tree of the k nearest, the
    most parallel normals first (Hoppe et al. 1992). Each connected part is turned so that its level normals face +z on
    the whole; where as many face down (a ball, a room with its ceiling), all of it may face either side.
    """
    index = neighbours(coord, coord, None, None, k + 1)
    source, target = _edges(index)
    unit = normal.double().cpu()
    cost = 1 - (unit[source] * unit[target]).sum(1).abs() + 1e-6  # a cost of 0 would be no edge
    graph = csr_matrix((cost.numpy(), (source.numpy(), target.numpy())), shape=(len(coord), len(coord)))
    parent, part = _spanning_forest(graph)
    unit = unit.numpy()
    turn = np.where((unit * unit[parent]).sum(1) < 0, -1.0, 1.0)
    sign = _along_parents(parent, turn)
    level = np.where(np.abs(unit[:, 2]) > LEVEL, unit[:, 2] * sign, 0)
    sign *= np.where(np.bincount(part, level) < 0, -1.0, 1.0)[part]
    return normal * torch.from_numpy(sign).to(normal)[:, None]


@torch.no_grad()
def smooth_normals(coord, normal, k=8):
    """(N, 3) unit means of the `normal` (N, 3) of the k nearest points, the point itself included."""
    index = neighbours(coord, coord, None, None, k)
    found = (index >= 0)[..., None]
    return F.normalize((normal[index.clamp(min=0)] * found).sum(1), dim=1)


def _edges(index):
    """Both ends (E,) of the entries of a table of neighbors that are there and no loops."""
    source = torch.arange(len(index), device=index.device)[:, None].expand_as(index)
    real = (index >= 0) & (index != source)
    return source[real].cpu(), index[real].cpu()


def _spanning_forest(graph):
    """Parent (N,) of every node in a minimum spanning forest, roots their own, and the tree (N,) it belongs to."""
    tree = csgraph.minimum_spanning_tree(graph.maximum(graph.T))
    number, part = csgraph.connected_components(tree, directed=False)
    root = np.unique(part, return_index=True)[1]
    nodes = len(part)
    # one more node above all roots, so that a single walk reaches every tree
    tree = tree.tocoo()
    rows, columns = np.append(tree.row, np.full(number, nodes)), np.append(tree.col, root)
    joined = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(nodes + 1, nodes + 1))
    parent = csgraph.breadth_first_order(joined, nodes, directed=False)[1][:nodes]
    parent[root] = root
    return parent, part


def _along_parents(parent, turn):
    """Product (N,) of `turn` from every node up to its root, whose own is 1; by doubling steps."""
    sign = turn
    while not np.array_equal(above := parent[parent], parent):
        sign = sign * sign[parent]
        parent = above
    return sign


def _smallest_axis(position, center, index):
    found = (index >= 0)[..., None]
    offset = (position[index.clamp(min=0)] - center[:, None]) * found
    offset = (offset - offset.sum(1, keepdim=True) / found.sum(1, keepdim=True)) * found
    covariance = offset.transpose(1, 2) @ offset
    axis = torch.linalg.eigh(covariance)[1][..., 0]  # eigenvalues ascend
    spread = covariance.diagonal(dim1=1, dim2=2).sum(1, keepdim=True)
    return torch.where(spread > 0, axis, axis.new_tensor([0.0, 0.0, 1.0]))


def _as_point(viewpoint, position):
    return torch.as_tensor(viewpoint, dtype=position.dtype, device=position.device)

"""Slow restatement of SCR for known segments, and the toy scenes that it was tried on."""

import numpy as np
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree

VOXEL = 0.08


def pseudo_instances(coord, segment, offset, num_neighbours, radius):
    """Component (N,) of every point: k nearest shifted points of its own segment, none beyond `radius`."""
    label = np.full(len(coord), -1)
    number = 0
    for s in np.unique(segment):
        member = np.flatnonzero(segment == s)
        shifted = coord[member] + offset[member]
        distance, index = cKDTree(shifted).query(shifted, min(num_neighbours + 1, len(member)))
        distance, index = distance.reshape(len(member), -1), index.reshape(len(member), -1)
        edges = [
            (i, j)
            for i in range(len(member))
            for d, j in zip(distance[i], index[i], strict=True)
            if radius is None or d <= radius
        ]
        row, column = np.array(edges).T
        graph = coo_matrix((np.ones(len(row)), (row, column)), shape=(len(member), len(member)))
        count, component = csgraph.connected_components(graph, directed=False)
        label[member] = number + component
        number += count
    return label


def centroids(coord, label):
    """(N,3) mean of the real coordinates of every point's component."""
    return np.stack([coord[label == number].mean(0) for number in label])


def boxes(gap, size=(0.5, 0.5, 0.8), voxel=VOXEL, grid=(4, 2)):
    """Surface voxels (N,3) of eight boxes, `gap` metres apart, and the box of each voxel (N,)."""
    steps = [np.arange(0, edge + 1e-9, voxel) for edge in size]
    cells = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    top = np.array([axis[-1] for axis in steps])
    shell = cells[((cells == 0) | (cells == top)).any(1)]
    corners = [(i * (top[0] + gap), j * (top[1] + gap), 0.0) for i in range(grid[0]) for j in range(grid[1])]
    coord = np.concatenate([shell + corner for corner in corners])
    return coord.astype(np.float32), np.repeat(np.arange(len(corners)), len(shell))

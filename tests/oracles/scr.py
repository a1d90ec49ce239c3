"""Slow restatement of SCR for known segments."""

import numpy as np
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree


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

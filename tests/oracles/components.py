"""Connected components by SciPy, of edges and of the ball graph of all pairs."""

import numpy as np
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial.distance import cdist


def numbered_by_first(label):
    number = {}
    return [number.setdefault(entry, len(number)) for entry in label.tolist()]


def graph_components(source, target, num_nodes):
    graph = coo_matrix((np.ones(len(source)), (source, target)), shape=(num_nodes, num_nodes))
    return numbered_by_first(csgraph.connected_components(graph, directed=False)[1])


def ball_components(coord, radius, group):
    """Of the points of one group up to `radius` apart."""
    near = (cdist(coord, coord) <= radius) & (group[:, None] == group)
    return graph_components(*np.nonzero(near), len(coord))

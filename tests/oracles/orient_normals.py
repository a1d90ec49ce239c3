"""Slow restatement of turning normals alike: Kruskal's forest, and a walk along it."""

import numpy as np
from scipy.spatial.distance import cdist


def nearest_edges(coord, k):
    """Pairs (a, b), a < b, of which one is among the k nearest of the other."""
    distance = cdist(coord, coord)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1)[:, : min(k, len(coord) - 1)]
    return {(min(a, b), max(a, b)) for a in range(len(coord)) for b in order[a].tolist()}


def forest(edges, num_points):
    """Neighbors of every point in a minimum spanning forest; edges are (cost, a, b)."""
    tree = [set() for _ in range(num_points)]
    part = list(range(num_points))
    for _, a, b in sorted(edges):
        if part[a] != part[b]:
            tree[a].add(b)
            tree[b].add(a)
            old, new = part[b], part[a]
            part = [new if number == old else number for number in part]
    return tree


def orient_normals(coord, normal, k, level):
    """Normals (N,3): the most parallel of neighbors agree, and in each part the level ones face up on the whole."""
    edges = [(1 - abs(normal[a] @ normal[b]), a, b) for a, b in nearest_edges(coord, k)]
    tree = forest(edges, len(coord))
    normal, left = normal.copy(), set(range(len(coord)))
    while left:
        part, waiting = [], [min(left)]
        while waiting:
            here = waiting.pop()
            part.append(here)
            left.remove(here)
            for other in tree[here] & left:
                if normal[other] @ normal[here] < 0:
                    normal[other] = -normal[other]
                waiting.append(other)
        height = normal[part, 2]
        if height[np.abs(height) > level].sum() < 0:
            normal[part] = -normal[part]
    return normal

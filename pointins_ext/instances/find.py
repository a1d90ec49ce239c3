"""Instances of one scan from the learned features and offsets of its voxels."""

from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.branch import contacts, merge_regions, pair_graph, regions, turn_by_offsets
from pointins_ext.instances.cluster import drop_small, join_leftovers
from pointins_ext.ops import as_array, estimate_normals, orient_normals, plane_points, smooth_normals

# In voxels and in shares of the scan itself: one setting for rooms, table tops and sweeps. Chosen with MergeEvidence.
RADIUS_VOXELS = 1.75  # of the graph's edges: the 26 voxels around
SHARE = 0.4  # of the edges, those with the least affinity, part the first regions
TURN_VOXELS = 2.0  # how far the offsets of a surface point out of it before they turn it round
REACH_VOXELS = 3.0  # how far leftovers join the nearest instance
MIN_VOXELS = 50
SURE_VOXELS = 500  # size of an instance apart from all others whose score is 0.5
UNTURNED = 1e-3  # share of normals that face down, below which they all face up


@dataclass(frozen=True)
class Instances:
    """Instances 0..I-1 of a scan's V voxels."""

    label: np.ndarray  # (V,) int64, -1 = none
    stuff: np.ndarray  # (I,) bool: a dominant plane, or a part of one: floor, wall, table top
    score: np.ndarray  # (I,) 0..1: grows with its voxels, less the more speaks for joining it to a neighbor


def find_instances(
    coord, offset, feat, voxel, normal=None, min_points=MIN_VOXELS, radius=None, plane=None, evidence=None, share=SHARE
) -> Instances:
    """Instances of the voxels `coord` (V,3), meters with z up, of edge `voxel`.

    offset (V,3), meters; feat (V,C) of the loss stage; normal (V,3) unit, outward, or None: estimated. Dominant planes
    are instances of their own, `stuff`; what is not on one is cut into regions (`branch.cut`), which merge while their
    contact speaks for one object (`branch.merge`). Instances under `min_points` voxels are none: their voxels take the
    nearest instance within 3 voxels, else -1. `radius` (meters) of the graph, `plane` (V,) bool, `share` and `evidence`
    have defaults that fit any scan.
    """
    coord, offset, feat = (torch.as_tensor(as_array(value)).float() for value in (coord, offset, feat))
    plane = plane_points(coord) if plane is None else torch.as_tensor(as_array(plane))
    normal = surface_normals(coord, normal)
    graph = pair_graph(coord, feat, normal, plane.long(), radius or RADIUS_VOXELS * voxel)
    normal = turn_by_offsets(graph, normal, offset, share, TURN_VOXELS * voxel, plane)
    graph = graph.with_normals(normal)
    region = regions(graph, len(coord), share, plane)
    merged = merge_regions(region, contacts(graph, region, normal), coord / voxel, offset / voxel, evidence)
    label, rest = merged.label.numpy(), merged.rest.numpy()
    rest = rest[np.bincount(label) >= min_points]
    label = join_leftovers(drop_small(label, min_points), coord, REACH_VOXELS * voxel)
    return Instances(label, _stuff(label, plane.numpy()), _scores(label, rest))


def surface_normals(coord, normal=None):
    """(V,3) smoothed unit normals of the voxels `coord` (V,3): those given, (V,3), else estimated and turned alike.

    Given normals that all face up were estimated without knowing inside from outside, and are estimated anew.
    """
    normal = None if normal is None else torch.as_tensor(as_array(normal)).float()
    if normal is None or (normal[:, 2] < -0.01).float().mean() < UNTURNED:
        normal = orient_normals(coord, estimate_normals(coord))
    return smooth_normals(coord, normal)


def _stuff(label, plane):
    """(I,) whether most of an instance's voxels lie on planes."""
    size = np.bincount(label[label >= 0])
    return np.bincount(label[label >= 0], plane[label >= 0], minlength=len(size)) > size / 2


def _scores(label, rest):
    """(I,) from the evidence (I,) that is left for joining an instance to its neighbor, and its size."""
    sure = np.bincount(label[label >= 0], minlength=len(rest)) / (1 + np.exp(rest.astype(float)))
    return sure / (sure + SURE_VOXELS)

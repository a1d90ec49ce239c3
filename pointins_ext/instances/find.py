"""Instances of one scan from the learned features and offsets of its voxels."""

from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.branch import GraphRule
from pointins_ext.instances.cluster import drop_small, join_leftovers
from pointins_ext.ops import as_array, estimate_normals, orient_normals, plane_numbers, smooth_normals

REACH_VOXELS = 10.0  # how far leftovers join the nearest instance
MIN_VOXELS = 50
SURE_VOXELS = 500  # size of an instance apart from all others whose score is 0.5


@dataclass(frozen=True)
class Instances:
    """Instances 0..I-1 of a scan's V voxels."""

    label: np.ndarray  # (V,) int64, -1 = none
    stuff: np.ndarray  # (I,) bool: a dominant plane, or a part of one: floor, wall, table top
    score: np.ndarray  # (I,) 0..1: grows with its voxels, less the more speaks for joining it to a neighbor


def find_instances(coord, offset, feat, voxel, normal=None, plane=None, min_points=MIN_VOXELS, rule=None) -> Instances:
    """Instances of the voxels `coord` (V,3), meters with z up, of edge `voxel`.

    offset (V,3), meters; feat (V,C) of the loss stage; normal (V,3) unit, outward, and plane (V,), the number of a
    voxel's plane, 0 for none: estimated if None. Each dominant plane, and each of its parts that are apart, is an
    instance of its own, `stuff`; all else follows the graph `rule`. Instances under `min_points` voxels are none: their
    voxels take the nearest instance within 10 voxels, else -1.
    """
    coord, offset, feat = (torch.as_tensor(as_array(value)).float() for value in (coord, offset, feat))
    number = plane_numbers(coord) if plane is None else torch.as_tensor(as_array(plane)).long()
    plane = number > 0
    one_scan = torch.zeros(len(coord), dtype=torch.long)
    merged = (rule or GraphRule())(coord, feat, offset, surface_normals(coord, normal), one_scan, voxel, plane)
    label, rest = _planes_apart(merged.label.numpy(), merged.rest.numpy(), number.numpy())
    rest = rest[np.bincount(label, minlength=len(rest)) >= min_points]
    label = join_leftovers(drop_small(label, min_points), coord, REACH_VOXELS * voxel)
    return Instances(label, _stuff(label, plane.numpy()), _scores(label, rest))


def surface_normals(coord, normal=None):
    """(V,3) smoothed unit normals of the voxels `coord` (V,3): those given, (V,3), else estimated and turned alike."""
    if normal is None:
        normal = orient_normals(coord, estimate_normals(coord))
    return smooth_normals(coord, torch.as_tensor(as_array(normal)).float())


def _planes_apart(label, rest, number):
    """Labels (V,) and evidence with walls and floor, which meet, as an instance each; number (V,) of the plane."""
    part, label = np.unique(np.stack([label, number]), axis=1, return_inverse=True)
    return label.reshape(-1), rest[part[0]]


def _stuff(label, plane):
    """(I,) whether most of an instance's voxels lie on planes."""
    size = np.bincount(label[label >= 0])
    return np.bincount(label[label >= 0], plane[label >= 0], minlength=len(size)) > size / 2


def _scores(label, rest):
    """(I,) from the evidence (I,) that is left for joining an instance to its neighbor, and its size."""
    sure = np.bincount(label[label >= 0], minlength=len(rest)) / (1 + np.exp(rest.astype(float)))
    return sure / (sure + SURE_VOXELS)

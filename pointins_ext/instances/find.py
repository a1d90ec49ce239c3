"""Instances of one scan from the learned features and offsets of its voxels."""

from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.branch import GraphRule
from pointins_ext.instances.cluster import PLANE_RADIUS, PLANE_REACH, drop_small, join_leftovers
from pointins_ext.ops import (
    as_array,
    estimate_normals,
    orient_normals,
    plane_numbers,
    radius_components,
    smooth_normals,
)

REACH_VOXELS = 10.0  # how far leftovers that are on no plane join the nearest instance
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
    instance of its own, `stuff`; all else follows the graph `rule`. Instances under `min_points` voxels are none, nor
    are so few that touch on a plane: they take the nearest instance within 10 voxels, those of planes within 3, or -1.
    """
    rule = rule or GraphRule()
    coord, offset, feat = (torch.as_tensor(as_array(value)).float() for value in (coord, offset, feat))
    number = plane_numbers(coord) if plane is None else torch.as_tensor(as_array(plane)).long()
    free = number == 0
    normal, one_scan = surface_normals(coord, normal)[free], torch.zeros(int(free.sum()), dtype=torch.long)
    merged = rule(coord[free], feat[free], offset[free], normal, one_scan, voxel)
    part = _plane_parts(coord[~free], number[~free], voxel, rule.radius, min_points)

    region, free = merged.label.numpy(), free.numpy()
    rest = merged.rest.numpy()[np.bincount(region, minlength=len(merged.rest)) >= min_points]
    label = np.empty(len(coord), np.int64)
    label[free] = drop_small(region, min_points)
    label[~free] = np.where(part >= 0, part + len(rest), -1)
    rest = np.append(rest, np.full(part.max(initial=-1) + 1, -np.inf))  # nothing speaks for joining a plane
    near, far = (join_leftovers(label, coord, reach * voxel) for reach in (PLANE_REACH, REACH_VOXELS))
    label = np.where(free, far, near)
    return Instances(label, _stuff(label, ~free), _scores(label, rest))


def surface_normals(coord, normal=None):
    """(V,3) smoothed unit normals of the voxels `coord` (V,3): those given, (V,3), else estimated and turned alike."""
    if normal is None:
        normal = orient_normals(coord, estimate_normals(coord))
    return smooth_normals(coord, torch.as_tensor(as_array(normal)).float())


def _plane_parts(coord, number, voxel, radius, min_points):
    """Parts 0..P-1 of planes, of number (V,) from 1, `radius` voxels apart; -1 where fewer than `min_points` touch."""
    part = drop_small(radius_components(coord, PLANE_RADIUS * voxel, number).numpy(), min_points)
    whole = part >= 0
    part[whole] = radius_components(coord[whole], radius * voxel, number[whole]).numpy()
    return part


def _stuff(label, plane):
    """(I,) whether most of an instance's voxels lie on planes."""
    size = np.bincount(label[label >= 0])
    return np.bincount(label[label >= 0], plane[label >= 0], minlength=len(size)) > size / 2


def _scores(label, rest):
    """(I,) from the evidence (I,) that is left for joining an instance to its neighbor, and its size."""
    sure = np.bincount(label[label >= 0], minlength=len(rest)) / (1 + np.exp(rest.astype(float)))
    return sure / (sure + SURE_VOXELS)

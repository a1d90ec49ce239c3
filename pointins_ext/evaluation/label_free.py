"""Scores of label-free instances on raw points.

A method sees voxels and labels voxels; every number is taken on all raw points, which get the label of their nearest
voxel. Labels are (V,) int64 arrays, -1 for no instance.
"""

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext.evaluation.clustering import adjusted_rand_index
from pointins_ext.evaluation.instance import InstanceAveragePrecision, nanmean
from pointins_ext.ops import as_array, plane_points, voxelize


def to_raw(label, coord_voxel, coord_raw):
    """Label (N,) of every raw point: that of its nearest voxel. A subset of the points would understate every score."""
    return as_array(label)[cKDTree(as_array(coord_voxel)).query(as_array(coord_raw))[1]]


def evaluate_label_free(
    scenes, methods, planes_off=False, grid_size=0.04, min_points=100, touch_distance=0.04, scores=None
):
    """Scores label-free instance methods on scenes with known objects, all on the same voxels and raw points.

    scenes: dicts with raw `coord` (N, 3) in meters, `instance` (N,), -1 where there is no object, and optionally
        `voxels`: dict of `coord` (V, 3) and whatever per-voxel arrays (V, ...) the methods read, say `instance_offset`
        and `feat`; a mask `plane`, as `on_planes` gives it, saves finding the planes again. Without `voxels` the scene
        is voxelized at `grid_size`.
    methods: name -> function of such a dict `voxels` that returns labels (V,).
    planes_off: False hands every method the raw scene, floor and walls included; True takes the dominant planes away
        from every method first and labels their points -1. The two protocols are not comparable.
    min_points: smallest object and prediction, in raw points, that average precision and recall count.
    touch_distance: objects with raw points this close touch, in meters.
    scores: name -> function of a dict `voxels` and labels (V,), 0..P-1, that gives the scores (P,) of average
        precision; without one the score is the number of raw points.

    Returns name -> dict of class-agnostic `map`, `ap50`, `ap25` (score = raw points of the prediction; points outside
    objects are void); `ari`, mean over scenes with objects, on object points only, each unassigned point a cluster of
    its own, so that leaving an object out never pays; `recall50`, `recall50_touching`, `recall50_free`, the share of
    objects found with IoU > 0.5 (nan if there are none); `num_objects`, `num_touching`.
    """
    precision = {name: InstanceAveragePrecision(class_agnostic=True, min_points=min_points) for name in methods}
    rand: dict[str, list[float]] = {name: [] for name in methods}
    found: dict[str, list[bool]] = {name: [] for name in methods}
    touches: list[bool] = []
    for scene in scenes:
        coord, instance = as_array(scene["coord"]), as_array(scene["instance"])
        voxels = scene.get("voxels") or {"coord": coord[voxelize(coord, grid_size)]}
        kept = ~_on_plane(voxels) if planes_off else np.ones(len(voxels["coord"]), bool)
        nearest = to_raw(np.arange(len(kept)), voxels["coord"], coord)
        objects = [i for i in np.unique(instance[instance >= 0]) if np.count_nonzero(instance == i) >= min_points]
        touches += touching_objects(coord, instance, objects, touch_distance)
        for name, method in methods.items():
            label = _label_voxels(method, voxels, kept)
            score = {"score": scores[name](voxels, label)} if scores and name in scores else {}
            label = label[nearest]
            precision[name].update({"instance": label, **score}, {"instance": instance})
            rand[name].append(object_rand_index(label, instance))
            found[name] += [best_overlap(label, instance == i, min_points) > 0.5 for i in objects]
    touching = np.array(touches, bool)
    return {
        name: {
            **{key: value for key, value in precision[name].compute().items() if not key.startswith("class_")},
            "ari": nanmean(np.array(rand[name])),
            "recall50": _mean(found[name]),
            "recall50_touching": _mean(np.array(found[name], bool)[touching]),
            "recall50_free": _mean(np.array(found[name], bool)[~touching]),
            "num_objects": len(touching),
            "num_touching": int(touching.sum()),
        }
        for name in methods
    }


def object_rand_index(label, instance):
    """Adjusted Rand index over object points (instance >= 0), nan without any; each unassigned point stands alone."""
    label, instance = label[instance >= 0], instance[instance >= 0]
    if len(instance) == 0:
        return float("nan")
    alone = label.max(initial=-1) + 1 + np.arange(len(label))
    return adjusted_rand_index(np.where(label < 0, alone, label), instance)


def best_overlap(label, member, min_points=1):
    """Largest IoU of an object, member (N,) bool, with a predicted instance of at least `min_points` points."""
    size = np.bincount(label[label >= 0], minlength=1)
    shared = np.bincount(label[member & (label >= 0)], minlength=len(size))
    union = size + np.count_nonzero(member) - shared
    return float(np.max(shared / np.maximum(union, 1), where=size >= min_points, initial=0.0))


def touching_objects(coord, instance, objects, distance):
    """For each id in `objects`: has it a point within `distance` of a point of another of them? List of bool."""
    members = [coord[instance == i] for i in objects]
    trees = [cKDTree(points) for points in members]
    low = np.array([points.min(axis=0) for points in members]).reshape(-1, 3) - distance
    high = np.array([points.max(axis=0) for points in members]).reshape(-1, 3)
    touches = [False] * len(objects)
    for a in range(len(objects)):
        for b in range(a):
            if np.any(low[a] > high[b]) or np.any(low[b] > high[a]):
                continue
            if trees[a].count_neighbors(trees[b], distance):
                touches[a] = touches[b] = True
    return touches


def on_planes(coord):
    """Mask (V,) of the voxels `coord` (V, 3), meters, that lie on the dominant planes."""
    return as_array(plane_points(torch.as_tensor(as_array(coord))))


def _label_voxels(method, voxels, kept):
    label = np.full(len(kept), -1, np.int64)
    if kept.any():
        label[kept] = as_array(method({key: as_array(value)[kept] for key, value in voxels.items()}))
    return label


def _on_plane(voxels):
    return as_array(voxels["plane"]) if "plane" in voxels else on_planes(voxels["coord"])


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")

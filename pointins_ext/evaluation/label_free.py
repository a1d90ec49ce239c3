"""Label-free instances: geometric baselines, clustering of shifted points, and their scores on raw points.

A method sees voxels and labels voxels; every number is taken on all raw points, which get the label of their nearest
voxel. Labels are (V,) int64 arrays, -1 for no instance.
"""

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext.evaluation.clustering import adjusted_rand_index
from pointins_ext.evaluation.instance import InstanceAveragePrecision, as_array, nanmean
from pointins_ext.ops import kmeans, plane_points, radius_components


def voxelise(coord, grid_size=0.04):
    """Index (V,) of one representative per occupied voxel: the first point (N, 3) in it, in input order.

    The grid is anchored at the origin of the coordinates, as the host's GridSample does.
    """
    cell = np.floor(as_array(coord) / grid_size).astype(np.int64)
    return np.sort(np.unique(cell, axis=0, return_index=True)[1])


def to_raw(label, coord_voxel, coord_raw):
    """Label (N,) of every raw point: that of its nearest voxel. A subset of the points would understate every score."""
    return as_array(label)[cKDTree(as_array(coord_voxel)).query(as_array(coord_raw))[1]]


def cluster_offsets(coord, instance_offset, radius=0.08, min_points=50, group=None, reach=0.0):
    """Instances as components of the shifted points coord + instance_offset, both (V, 3): edges up to `radius`, metres.

    group (V,): optional segment ids, which are never joined. Components under `min_points` are none: their points take
    the nearest instance within `reach` metres, else -1.
    """
    shifted = torch.as_tensor(as_array(coord)) + torch.as_tensor(as_array(instance_offset))
    group = None if group is None else torch.as_tensor(as_array(group))
    return join_leftovers(drop_small(radius_components(shifted, radius, group).numpy(), min_points), shifted, reach)


def components(coord, radius=0.06, min_points=50, reach=0.0):
    """Baseline: components of the points as they lie, which is `cluster_offsets` with zero offsets.

    The default radius is the one that serves this baseline best at 4 cm voxels.
    """
    return cluster_offsets(coord, np.zeros_like(as_array(coord)), radius, min_points, reach=reach)


def kmeans_instances(coord, feat, num_clusters=5, radius=0.08, min_points=50, seed=0, reach=0.0):
    """Baseline: k-means segments of the features (V, C), each split into its spatial components."""
    feat = torch.as_tensor(as_array(feat))
    one_group = torch.zeros(len(feat), dtype=torch.long)
    segment = kmeans(feat, one_group, num_clusters, generator=torch.Generator().manual_seed(seed))
    return cluster_offsets(coord, np.zeros_like(as_array(coord)), radius, min_points, segment, reach)


def hdbscan_instances(coord, min_cluster_size=60, min_samples=5, reach=0.0):
    """Baseline: HDBSCAN of scikit-learn on the coordinates. Its noise joins as in `cluster_offsets`, else it is -1.

    scikit-learn's own `min_samples`, the cluster size, would halve the score of this baseline.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise ImportError("HDBSCAN needs scikit-learn: pip install pointins_ext[cluster]") from error
    coord = as_array(coord)
    if len(coord) < min_cluster_size:
        return np.full(len(coord), -1, np.int64)
    # The k-d tree gives brute force's partition, but for ties, in a twentieth of its time; copy silences a warning.
    model = HDBSCAN(min_cluster_size, min_samples=min_samples, algorithm="kd_tree", n_jobs=1, copy=True)
    return join_leftovers(model.fit_predict(coord).astype(np.int64), coord, reach)


def join_leftovers(label, coord, reach):
    """Labels (V,) in which every -1 takes the label of the nearest labelled point, up to `reach` metres away."""
    left = label < 0
    if reach <= 0 or not left.any() or left.all():
        return label
    coord, joined = as_array(coord), label.copy()
    distance, nearest = cKDTree(coord[~left]).query(coord[left], distance_upper_bound=reach)
    found = np.isfinite(distance)
    joined[np.flatnonzero(left)[found]] = label[~left][nearest[found]]
    return joined


def drop_small(label, min_points):
    """Labels renumbered 0..K-1, with those of fewer than `min_points` points set to -1."""
    count = np.bincount(label[label >= 0], minlength=1)
    number = np.where(count >= min_points, np.cumsum(count >= min_points) - 1, -1)
    return np.where(label >= 0, number[label], -1)


def evaluate_label_free(scenes, methods, planes_off=False, grid_size=0.04, min_points=100, touch_distance=0.04):
    """Scores label-free instance methods on scenes with known objects, all on the same voxels and raw points.

    scenes: dicts with raw `coord` (N, 3) in metres, `instance` (N,), -1 where there is no object, and optionally
        `voxels`: dict of `coord` (V, 3) and whatever per-voxel arrays (V, ...) the methods read, say `instance_offset`
        and `feat`; a mask `plane`, as `on_planes` gives it, saves finding the planes again. Without `voxels` the scene
        is voxelised at `grid_size`.
    methods: name -> function of such a dict `voxels` that returns labels (V,).
    planes_off: False hands every method the raw scene, floor and walls included; True takes the dominant planes away
        from every method first and labels their points -1. The two protocols are not comparable.
    min_points: smallest object and prediction, in raw points, that average precision and recall count.
    touch_distance: objects with raw points this close touch, in metres.

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
        voxels = scene.get("voxels") or {"coord": coord[voxelise(coord, grid_size)]}
        kept = ~_on_plane(voxels) if planes_off else np.ones(len(voxels["coord"]), bool)
        nearest = to_raw(np.arange(len(kept)), voxels["coord"], coord)
        objects = [i for i in np.unique(instance[instance >= 0]) if np.count_nonzero(instance == i) >= min_points]
        touches += touching_objects(coord, instance, objects, touch_distance)
        for name, method in methods.items():
            label = _label_voxels(method, voxels, kept)[nearest]
            precision[name].update({"instance": label}, {"instance": instance})
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
    """Mask (V,) of the voxels `coord` (V, 3), metres, that lie on the dominant planes."""
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

"""Exact overlap of upright boxes, and their class-agnostic average precision."""

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.evaluation.instance import average_precision, require_length
from pointins_ext.evaluation.label_free import to_raw
from pointins_ext.instances.boxes import Boxes, oriented_boxes
from pointins_ext.ops import as_array

THRESHOLDS = dict(box25=0.25, box50=0.5)


def box_iou(first: Boxes, second: Boxes) -> np.ndarray:
    """Intersection over union (A, B) of the volumes of A and B upright boxes, exact; 0 where both are flat."""
    bottom = np.maximum(*np.ix_(_end(first, -1), _end(second, -1)))
    top = np.minimum(*np.ix_(_end(first, 1), _end(second, 1)))
    apart = np.linalg.norm(first.center[:, None, :2] - second.center[:, :2], axis=2)
    reach = np.add(*np.ix_(*(np.linalg.norm(boxes.size[:, :2], axis=1) / 2 for boxes in (first, second))))
    a, b = np.nonzero((top > bottom) & (apart < reach))
    shared = np.zeros((len(first), len(second)))
    shared[a, b] = _shared_area(first, second, a, b) * (top - bottom)[a, b]
    union = np.add(*np.ix_(first.size.prod(axis=1), second.size.prod(axis=1))) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _end(boxes, side):
    return boxes.center[:, 2] + side * boxes.size[:, 2] / 2


def _shared_area(first, second, a, b):
    """Areas (P,) that the footprints a (P,) of `first` share with b (P,) of `second`: a clipped by the sides of b."""
    cos, sin = np.cos(second.yaw[b])[:, None], np.sin(second.yaw[b])[:, None]
    x, y = np.moveaxis(first.footprint()[a] - second.center[b, None, :2], 2, 0)
    corner = np.stack([cos * x + sin * y, cos * y - sin * x], axis=2)  # in the frame of b
    for axis in (0, 1):
        limit = second.size[b, None, axis] / 2
        corner = _clip(_clip(corner, axis, 1, limit), axis, -1, limit)
    x, y = np.moveaxis(corner, 2, 0)
    return np.maximum((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) / 2, 0)


def _clip(corner, axis, side, limit):
    """Polygons (P, 2K, 2): those of `corner` (P, K, 2) where side * coordinate <= limit (P, 1).

    Outer corners move straight onto the border instead of going: along a line, detours cancel in the area.
    """
    ahead = np.roll(corner, -1, axis=1)
    over, over_ahead = side * corner[..., axis] - limit, side * ahead[..., axis] - limit
    crosses = (over > 0) != (over_ahead > 0)
    share = np.divide(over, over - over_ahead, out=np.zeros_like(over), where=crosses)
    clipped = np.stack([corner, corner + share[..., None] * (ahead - corner)], axis=2).reshape(
        len(corner), 2 * corner.shape[1], 2
    )
    clipped[..., axis] = side * np.minimum(side * clipped[..., axis], limit)
    return clipped


class BoxAveragePrecision:
    """Accumulates scenes and gives the class-agnostic average precision of boxes at IoU 0.25 and 0.5.

    By descending score a box takes the object, not yet taken, that it overlaps most, if their IoU exceeds the
    threshold. What takes none is a false positive, unless the share of its points on void exceeds the threshold. The
    integral is that of `InstanceAveragePrecision`.
    """

    def __init__(self):
        self.scenes = []

    def update(self, boxes: Boxes, score, objects: Boxes, void=None) -> None:
        """Adds a scene of P boxes with score (P,), G objects, and void (P,), 0..1, the share of points on no object.

        Raises ValueError for other shapes and a score that is NaN.
        """
        score = as_array(score).astype(np.float64)
        void = np.zeros(len(boxes)) if void is None else as_array(void)
        require_length("score", score, len(boxes))
        require_length("void", void, len(boxes))
        if np.isnan(score).any():
            raise UserError("score of a box holds NaN: it cannot be ranked")
        self.scenes.append((box_iou(boxes, objects), score, void))

    def compute(self) -> dict:
        """`box25` and `box50`; nan where no scene has an object."""
        return {name: self._at(threshold) for name, threshold in THRESHOLDS.items()}

    def _at(self, threshold):
        num_objects = sum(overlap.shape[1] for overlap, _, _ in self.scenes)
        if num_objects == 0:
            return float("nan")
        positive = np.concatenate([_match(overlap, score, threshold) for overlap, score, _ in self.scenes])
        score, void = (np.concatenate([scene[i] for scene in self.scenes]) for i in (1, 2))
        kept = positive | (void <= threshold)
        return average_precision(positive[kept], score[kept], num_objects - positive.sum())


def _match(overlap, score, threshold):
    """Whether each box (P,) takes an object; overlap (P, G)."""
    free, found = overlap.copy(), np.zeros(len(overlap), bool)
    for box in np.argsort(-score, kind="stable") if overlap.shape[1] else ():
        best = np.argmax(free[box])
        if free[box, best] > threshold:
            found[box], free[:, best] = True, 0
    return found


def voxel_count(voxels, label):
    """Score (P,) of the instances 0..P-1 of `label` (V,): their number of voxels."""
    return np.bincount(label[label >= 0])


def evaluate_boxes(scenes, methods, scores=None, min_points=100):
    """Box average precision of label-free instances, on scenes with known objects.

    scenes: dicts with raw `coord` (N, 3) in meters, z up, `instance` (N,), -1 where there is no object, and `voxels`:
        dict of `coord` (V, 3) and what methods and score read.
    methods: name -> function of `voxels` that gives labels (V,), -1 for none; raw points take their nearest voxel's.
    scores: name -> function of `voxels` and labels (V,), 0..P-1, that gives the scores (P,); default `voxel_count`.
    min_points: smallest object and prediction, in raw points; points of smaller objects are void.

    Both kinds of boxes are `oriented_boxes` of the raw points, so an object ends where its visible part does. Returns
    name -> dict of `box25`, `box50`.
    """
    precision = {name: BoxAveragePrecision() for name in methods}
    scores = dict.fromkeys(methods, voxel_count) | (scores or {})
    for scene in scenes:
        coord, instance = as_array(scene["coord"]), numbered(as_array(scene["instance"]), min_points)
        objects = oriented_boxes(coord, instance)
        nearest = to_raw(np.arange(len(scene["voxels"]["coord"])), scene["voxels"]["coord"], coord)
        for name, method in methods.items():
            label = as_array(method(scene["voxels"])).astype(np.int64)
            raw = numbered(label[nearest], min_points)
            ids = np.full(raw.max(initial=-1) + 1, -1)
            ids[raw[raw >= 0]] = label[nearest][raw >= 0]
            void = np.bincount(raw[(raw >= 0) & (instance < 0)], minlength=len(ids)) / np.bincount(raw[raw >= 0])
            precision[name].update(oriented_boxes(coord, raw), scores[name](scene["voxels"], label)[ids], objects, void)
    return {name: metric.compute() for name, metric in precision.items()}


def numbered(instance, min_points=1):
    """Labels (N,) 0..I-1 in the order of the ids, -1 for instances of fewer than `min_points` points."""
    ids, inverse, count = np.unique(instance, return_inverse=True, return_counts=True)
    kept = (ids >= 0) & (count >= min_points)
    return np.where(kept, np.cumsum(kept) - 1, -1)[inverse]

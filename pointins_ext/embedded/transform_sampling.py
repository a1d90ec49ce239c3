"""Transforms that pick points: every key listed in `index_valid_keys` is indexed together with `coord`."""

import random

import numpy as np

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.errors import UserError

INDEX_VALID_KEYS = ("coord", "color", "normal", "superpoint", "strength", "segment", "instance")


def index_operator(data_dict, index, duplicate=False):
    """Keep the points `index` (integers or a mask) of every per-point key; in a shallow copy if `duplicate`.

    Per-point keys are those in `index_valid_keys`, which a config extends by
    `dict(type="Update", keys_dict=dict(index_valid_keys=[...]))`. `sampled_index`, the points that are annotated where
    few are, then counts among the kept points.
    """
    data_dict = dict(data_dict) if duplicate else data_dict
    if "sampled_index" in data_dict:
        annotated = np.zeros(len(data_dict["coord"]), bool)
        annotated[data_dict["sampled_index"]] = True
        data_dict["sampled_index"] = np.flatnonzero(annotated[index])
    data_dict["index_valid_keys"] = list(data_dict.get("index_valid_keys", INDEX_VALID_KEYS))
    for key in data_dict["index_valid_keys"]:
        if key in data_dict:
            data_dict[key] = data_dict[key][index]
    return data_dict


def with_annotated(data_dict, index):
    """The points `index` and, where few points are annotated, all of these, sorted; else `index` as it is."""
    return np.union1d(index, data_dict["sampled_index"]) if "sampled_index" in data_dict else index


def fnv_hash(cell):
    """FNV-1 hash (N,) uint64 of integer rows (N, D)."""
    key = np.full(len(cell), 14695981039346656037, np.uint64)
    for column in cell.T.astype(np.uint64):
        key *= np.uint64(1099511628211)
        key ^= column
    return key


def ravel_hash(cell):
    """Row-major number (N,) uint64 of non-negative integer rows (N, D) in their bounding box."""
    size = cell.max(axis=0).astype(np.uint64) + np.uint64(1)
    key = np.zeros(len(cell), np.uint64)
    for column, extent in zip(cell.T.astype(np.uint64), size, strict=True):
        key = key * extent + column
    return key


@TRANSFORMS.register_module()
class RandomDropout:
    """Drop the share `dropout_ratio` of the points, with probability `dropout_application_ratio`; one stays at least.

    Points of `sampled_index` stay.
    """

    def __init__(self, dropout_ratio=0.2, dropout_application_ratio=0.5):
        self.dropout_ratio = dropout_ratio
        self.dropout_application_ratio = dropout_application_ratio

    def __call__(self, data_dict):
        if random.random() >= self.dropout_application_ratio:
            return data_dict
        number = len(data_dict["coord"])
        kept = np.random.choice(number, max(int(number * (1 - self.dropout_ratio)), 1), replace=False)
        return index_operator(data_dict, with_annotated(data_dict, kept))


@TRANSFORMS.register_module()
class GridSample:
    """One point for every occupied cell of a grid of `grid_size` meters.

    mode="train": a random point a cell, and all points of `sampled_index`. mode="test": a list of fragments, which
    together hold every point, each with one point a cell and its `index` in the input. Adds on demand `grid_coord`
    (M, 3) integer cells counted from the lowest one, `inverse` (N,) from input points to a kept row of their cell,
    `min_coord` (1, 3) corner of the lowest cell, `displacement` (M, 3) from the middle of its cell, in cells, or, with
    project_displacement, (M, 1) along the normal.
    """

    def __init__(
        self,
        grid_size=0.05,
        hash_type="fnv",
        mode="train",
        return_inverse=False,
        return_grid_coord=False,
        return_min_coord=False,
        return_displacement=False,
        project_displacement=False,
    ):
        if mode not in ("train", "test"):
            raise UserError(f"GridSample: mode is {mode!r}, expected 'train' or 'test'")
        if not grid_size > 0:
            raise UserError(f"GridSample: grid_size is {grid_size}, expected meters above 0")
        self.grid_size = grid_size
        self.hash = fnv_hash if hash_type == "fnv" else ravel_hash
        self.mode = mode
        self.return_inverse = return_inverse
        self.return_grid_coord = return_grid_coord
        self.return_min_coord = return_min_coord
        self.return_displacement = return_displacement
        self.project_displacement = project_displacement

    def __call__(self, data_dict):
        scaled = data_dict["coord"] / np.float64(self.grid_size)
        cell = np.floor(scaled).astype(np.int64)
        displacement = scaled - cell - 0.5
        low = cell.min(axis=0)
        cell -= low
        key = self.hash(cell)
        order = np.argsort(key)
        new_cell = np.diff(key[order], prepend=~key[order[:1]]) != 0
        start = np.flatnonzero(new_cell)
        count = np.diff(start, append=len(key))
        inverse = np.empty(len(key), np.int64)
        inverse[order] = np.cumsum(new_cell) - 1

        def pick(rank, duplicate):
            of_cell = order[start + rank % count]
            # the fragments of a test hold every point anyway
            index = of_cell if duplicate else with_annotated(data_dict, of_cell)
            sample = index_operator(data_dict, index, duplicate)
            if self.return_inverse:
                row = np.arange(len(count)) if index is of_cell else np.searchsorted(index, of_cell)
                sample["inverse"] = row[inverse]
            if self.return_grid_coord:
                _add_point_key(sample, "grid_coord", cell[index])
            if self.return_displacement:
                value = displacement[index].astype(np.float32)
                if self.project_displacement:
                    value = (value * sample["normal"]).sum(axis=1, keepdims=True)
                _add_point_key(sample, "displacement", value)
            if self.return_min_coord:
                sample["min_coord"] = (low * self.grid_size)[None]
            return sample, index

        if self.mode == "train":
            return pick(np.random.randint(0, count.max(), len(count)), duplicate=False)[0]
        fragments = [pick(rank, duplicate=True) for rank in range(count.max())]
        return [dict(sample, index=index) for sample, index in fragments]


def _add_point_key(sample, key, value):
    sample[key] = value
    if key not in sample["index_valid_keys"]:
        sample["index_valid_keys"].append(key)


@TRANSFORMS.register_module()
class SphereCrop:
    """Keep the `point_max` points nearest to a random or the middle point of the list.

    sample_rate: in the place of `point_max`, their share, which is one point at least.
    """

    def __init__(self, point_max=80000, sample_rate=None, mode="random"):
        if mode not in ("random", "center"):
            raise UserError(f"SphereCrop: mode is {mode!r}, expected 'random' or 'center'")
        if point_max < 1:
            raise UserError(f"SphereCrop: point_max is {point_max}, expected 1 point or more")
        self.point_max = point_max
        self.sample_rate = sample_rate
        self.mode = mode

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        size = self.point_max if self.sample_rate is None else max(int(self.sample_rate * len(coord)), 1)
        if len(coord) <= size:
            return data_dict
        center = coord[np.random.randint(len(coord)) if self.mode == "random" else len(coord) // 2]
        return index_operator(data_dict, np.argsort(np.square(coord - center).sum(axis=1))[:size])


@TRANSFORMS.register_module()
class ShufflePoint:
    """Put the points in random order."""

    def __call__(self, data_dict):
        index = np.arange(len(data_dict["coord"]))
        np.random.shuffle(index)
        return index_operator(data_dict, index)


@TRANSFORMS.register_module()
class CropBoundary:
    """Drop the points of segments 0 and 1 (wall and floor of the indoor benchmarks)."""

    def __call__(self, data_dict):
        segment = data_dict["segment"].reshape(-1)
        return index_operator(data_dict, (segment != 0) & (segment != 1))


@TRANSFORMS.register_module()
class InstanceParser:
    """Compact instance ids 0..I-1 with their centers: adds `instance_centroid` (N, 3) and `bbox` (I, 8).

    Instances of `segment_ignore_index` classes become `instance_ignore_index`, which is no instance itself. A box is
    center, size, angle 0 and the class among those that are not ignored. Centers are in the coordinates of the moment:
    put it after augmentation.
    """

    def __init__(self, segment_ignore_index=(-1, 0, 1), instance_ignore_index=-1):
        self.segment_ignore_index = segment_ignore_index
        self.instance_ignore_index = instance_ignore_index

    def __call__(self, data_dict):
        coord, segment = data_dict["coord"], data_dict["segment"]
        kept = ~np.isin(segment, self.segment_ignore_index) & (data_dict["instance"] != self.instance_ignore_index)
        ids, inverse = np.unique(data_dict["instance"][kept], return_inverse=True)
        instance = np.full_like(data_dict["instance"], self.instance_ignore_index)
        instance[kept] = inverse
        centroid = np.full((len(coord), 3), self.instance_ignore_index, np.float64)
        bbox = np.full((len(ids), 8), self.instance_ignore_index, np.float64)
        gaps = [index for index in self.segment_ignore_index if index >= 0]
        for number in range(len(ids)):
            mask = instance == number
            low, high = coord[mask].min(axis=0), coord[mask].max(axis=0)
            label = segment[mask][0]
            centroid[mask] = coord[mask].mean(axis=0)
            bbox[number] = [*(low + high) / 2, *(high - low), 0, label - np.greater(label, gaps).sum()]
        data_dict.update(instance=instance, instance_centroid=centroid, bbox=bbox)
        return data_dict

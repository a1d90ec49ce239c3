"""Instances of one scan in memory."""

import copy

import numpy as np

from pointins_ext.errors import UserError, notice
from pointins_ext.inference.load import load_predictor
from pointins_ext.inference.prediction import MIN_VOXELS
from pointins_ext.inference.predictor import Predictor
from pointins_ext.instances import instance_centers


def segment(
    coord, color=None, normal=None, weight=None, grid_size=None, radius=None, min_points=MIN_VOXELS, **channels
):
    """Instances of one scan in memory, no label needed: ids (N,), -1 = none, and their centers (I, 3) in meters.

    `coord` (N,3) meters with z up, as in training, optional `color` (N,3) 0..255 or 0..1, `normal` (N,3), which are
    read as those of files are: see `as_scene`; points without coordinates (NaN) get -1. `weight`: a PointINS checkpoint
    or a `Predictor`;
    `grid_size`: voxel of this scan in meters (default: as in training); `radius`, `min_points`: clustering of shifted
    voxels; `channels`: strength and what else the checkpoint reads. ValueError for what is unfit; a ScanWarning where
    z seems not to be up, the unit another, or nothing is found.
    """
    if weight is None:
        raise UserError("segment: weight is missing; give a PointINS checkpoint (pointins quickstart makes one)")
    from pointins_ext.datasets.values import as_scene

    for name, value in dict(grid_size=grid_size, radius=radius).items():
        if value is not None and not 0 < value < np.inf:
            raise UserError(f"segment: {name} is {value}, expected meters above 0")
    columns = dict(coord=coord, color=color, normal=normal, **channels)
    scene = as_scene({key: _array(key, value) for key, value in columns.items() if value is not None}, "segment")
    predictor = copy.copy(weight) if isinstance(weight, Predictor) else load_predictor(weight)
    unknown = channels.keys() - set(predictor.feat_keys)
    if unknown:
        raise UserError(f"segment: the checkpoint does not read {', '.join(unknown)}; it reads {predictor.feat_keys}")
    if grid_size is not None:
        predictor.scale = predictor.grid_size / grid_size
    predictor.check_frame(scene["coord"], "segment")
    prediction = predictor(scene)
    instance = prediction.instances(radius, min_points)
    if instance.max(initial=-1) < 0:
        notice("empty results", f"segment: {prediction.why_nothing(radius, min_points)}")
    center = instance_centers(scene["coord"], instance).numpy() + scene["coord_shift"]
    return at_all_points(instance, scene, -1), center


def at_all_points(value: np.ndarray, scene: dict, missing) -> np.ndarray:
    """`value` (M, ...) of a scene's points as (N, ...) of all that its file has, `missing` at those left out."""
    if "kept" not in scene:
        return value
    result = np.full((len(scene["kept"]), *value.shape[1:]), missing, value.dtype)
    result[scene["kept"]] = value
    return result


def _array(name: str, value) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:  # TypeError: a tensor on a GPU
        raise UserError(f"segment: {name} is no array: {error}") from error

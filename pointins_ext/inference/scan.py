"""Instances of one scan in memory."""

import copy

import numpy as np

from pointins_ext import weights
from pointins_ext.errors import UserError, notice
from pointins_ext.inference.load import load_predictor
from pointins_ext.inference.predictor import Predictor, require_extent
from pointins_ext.inference.voxel import fit_voxel
from pointins_ext.instances import MIN_VOXELS, instance_centers


def segment(
    coord, color=None, normal=None, weight=None, grid_size=None, radius=None, min_points=MIN_VOXELS, up=None, **channels
):
    """Instances of one scan in memory, no label needed: ids (N,), -1 = none, and their centers (I, 3) in meters.

    `coord` (N,3) meters, optional `color` (N,3) 0..255 or 0..1, `normal` (N,3), which are read as from a file:
    see `as_scene`; points without coordinates (NaN) get -1. `weight`: a PointINS checkpoint, "indoor", "outdoor", or a
    `Predictor` (default: what `weights.fitting` takes of the two); `grid_size`: voxel of this scan in meters (default:
    from spacing and extent, see inference/voxel.py); `radius`, `min_points`: clustering of shifted voxels; `up`: the
    axis that points up, "x" to "-z", or "auto" (default z); `channels`: strength and what else the checkpoint reads.
    Raises ValueError if an argument is invalid; warns (ScanWarning) if z seems not to be up, if unit or voxel differ
    from training, or if nothing is found.
    """
    from pointins_ext.datasets.upright import UPS, turned, upright_turn
    from pointins_ext.datasets.values import as_scene

    if up is not None and up not in UPS:
        raise UserError(f"segment: up is {up!r}, expected one of {', '.join(UPS)}")
    for name, value in dict(grid_size=grid_size, radius=radius).items():
        if value is not None and not 0 < value < np.inf:
            raise UserError(f"segment: {name} is {value}, expected meters above 0")
    columns = dict(coord=coord, color=color, normal=normal, **channels)
    scene = as_scene({key: _array(key, value) for key, value in columns.items() if value is not None}, "segment")
    chosen = weights.fitting(scene)[0] if weight is None else weight
    predictor = copy.copy(chosen) if isinstance(chosen, Predictor) else load_predictor(chosen)
    unknown = channels.keys() - set(predictor.feat_keys)
    if unknown and weight is not None:  # what was not chosen may be without them
        raise UserError(f"segment: the checkpoint does not read {', '.join(unknown)}; it reads {predictor.feat_keys}")
    if grid_size is not None:
        predictor.scale, predictor.voxel_given = predictor.grid_size / grid_size, True
    upright = turned(scene, upright_turn(scene["coord"], up))
    fitted = fit(predictor, upright["coord"], "segment", up)
    prediction = fitted(upright)
    instance = prediction.instances(radius, min_points)
    if instance.max(initial=-1) < 0:
        notice("empty results", f"segment: {prediction.why_nothing(radius, min_points)}")
    center = instance_centers(scene["coord"], instance).numpy() + scene["coord_shift"]
    return at_all_points(instance, scene, -1), center


def fit(predictor: Predictor, coord: np.ndarray, source: str, up: str | None = None, say=None) -> Predictor:
    """The predictor with the voxel that suits the upright scan coord (N, 3); `up`: how it was turned, None: not at all.

    `say`: takes the line about the voxel; without it a ScanWarning reports a voxel other than that of training. Axes
    and unit are checked by `Predictor.check_frame`.
    """
    require_extent(coord, predictor.voxel, f"{source}: ")
    fitted, line = fit_voxel(predictor, coord, source)
    if say is not None:
        say(line)
    elif fitted.voxel != predictor.voxel:
        notice("voxels", line.replace("--grid-size", "grid_size="))
    fitted.check_frame(coord, source, up_known=up is not None)
    return fitted


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

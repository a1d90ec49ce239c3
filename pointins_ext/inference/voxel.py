"""The voxel that suits a scan, where nobody has given one.

A network knows objects by their size in voxels, so a table top needs other voxels than a room. Where training saw rooms
of 2.7 m and more in voxels of 4 cm, a scan of this size class keeps the voxel of training; a smaller one gets as many
voxels across as a real room has; and no voxel is finer than the spacing of the points, which would be islands.
"""

import copy

import numpy as np

from pointins_ext.inference.predictor import Predictor

FEWEST_VOXELS = 40  # across a scan of training's size class: table tops (mOSD) have 23 to 33 of 4 cm, rooms 65 and more
TYPICAL_VOXELS = 150  # across a scan of another: a room of 6 m in voxels of 4 cm
FINEST = 0.4  # spacing in voxels; table tops at 0.6 fall apart: mAP 3 instead of 20


def scan_voxel(spacing: float, extent: float, trained: float) -> float:
    """Edge of the voxel for a scan of this spacing and extent, from that of training; all in one unit.

    A voxel that differs from that of training is rounded to one digit.
    """
    if spacing > trained:
        return _one_digit(spacing / FINEST)
    if 0 < extent < FEWEST_VOXELS * trained:
        return min(_one_digit(max(extent / TYPICAL_VOXELS, spacing / FINEST)), trained)
    return trained


def _one_digit(value):
    return float(f"{value:.1g}")


def fit_voxel(predictor: Predictor, coord: np.ndarray, source: str) -> tuple[Predictor, str]:
    """The predictor with the voxel that suits a scan coord (N, 3), and the line that says so.

    Both stay as they are if the voxel was given, or if training saw sweeps around a sensor, whose density tells
    nothing. Warns (ScanWarning) if the unit seems to be wrong; raises ValueError if it must be.
    """
    from pointins_ext.datasets.frame import check_meters, point_spacing, robust_extent

    trained = predictor.voxel
    if predictor.voxel_given or not predictor.centered:
        why = "as given" if predictor.voxel_given else "as in training, on sweeps (--grid-size overrides)"
        return predictor, f"{source}: voxel {trained:.3g} m, {why}"
    spacing, extent = point_spacing(coord), robust_extent(coord)
    check_meters(spacing, extent, trained, source)
    voxel = scan_voxel(spacing, extent, trained)
    seen = f"its spacing of {spacing:.2g} m and extent of {extent:.3g} m"
    how = f"from {seen} (" if voxel != trained else f"as in training, which suits {seen} ("
    fitted = copy.copy(predictor)
    fitted.scale = predictor.grid_size / voxel
    return fitted, f"{source}: voxel {voxel:.3g} m, {how}--grid-size overrides)"

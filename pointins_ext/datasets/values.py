"""From raw arrays to a scene: what their numbers mean, one set of decisions for all file formats and arrays in memory.

Ranges are told by quantiles, never by the largest value; a guess that the type of the numbers does not settle is said
(`ScanWarning`), what cannot be is refused. Zeros and NaN that stand for "nothing here" are left out.
"""

import numpy as np

from pointins_ext.datasets.label_values import instance_values, segment_values
from pointins_ext.errors import UserError, notice

MIN_POINTS = 10
LARGE_COORDINATE = 1000.0  # float32 resolves 0.06 mm at 1 km, but only 0.5 m at a UTM northing
GRAY = 127.5
WIDTH = dict(coord=3, color=3, normal=3, strength=1, segment=1, instance=1)
BYTE, WORD = 255, 65535
KNOWN = "expected 0..1, 0..255 or 0..65535"
OVER = 1.5  # interpolation, sharpening and Gaussian splats leave the range so far in a share of the points
ALMOST_BLACK = 4  # of 255
MIN_ZEROS = 0.01  # share of the points at (0, 0, 0) from which these can be placeholders


def as_scene(columns, source):
    """Scene of raw arrays under the names of a scene: (N, ...) in any type and range -> what `read_scan` promises.

    Points without coordinates, NaN or many at exactly (0, 0, 0), are left out of every array; then `kept` (N,) bool
    tells which are there. Other names than a scene's pass with their rows. ValueError that names `source` for shapes,
    lengths, fewer than 10 points, and values that are none of the known ranges.
    """
    check_scan(columns, source)
    columns = {key: np.asarray(value) for key, value in columns.items()}
    kept = _present(columns["coord"], source)
    if not kept.all():
        columns = {key: value[kept] for key, value in columns.items()}
    coord = columns["coord"].astype(np.float64)
    far = np.abs(coord).max() > LARGE_COORDINATE
    shift = np.floor(coord.mean(axis=0)) if far else np.zeros(3)
    scene = {key: value for key, value in columns.items() if key not in WIDTH}
    scene |= dict(coord=(coord - shift).astype(np.float32), coord_shift=shift)
    for key, decide in DECIDE.items():
        value = decide(columns[key], source) if key in columns else None
        if value is not None:
            scene[key] = value
    if "instance" in columns:
        scene["instance"] = instance_values(columns["instance"].reshape(-1), scene["coord"], source)
    return scene if kept.all() else scene | dict(kept=kept)


def check_scan(columns, source):
    """ValueError naming `source` where arrays have no use: shapes, types, unequal lengths, fewer than 10 points."""
    if "coord" not in columns:
        raise UserError(f"{source}: no coordinates, found {sorted(columns)}; expected an array named coord")
    number = (*np.shape(columns["coord"]), 0)[0]
    for key, value in columns.items():
        shape, width = np.shape(value), WIDTH.get(key)
        right = shape[1:] == (width,) or (width == 1 and len(shape) == 1) or (key == "color" and shape[1:] == (4,))
        if width is not None and not right:
            cure = "; transpose it" if len(shape) == 2 and shape[0] == width else ""
            raise UserError(f"{source}: {key} has shape {shape}, expected (N, {width}){cure}")
        if np.asarray(value).dtype.kind not in "fiub":
            raise UserError(f"{source}: {key} holds {np.asarray(value).dtype}, expected numbers")
        if (*shape, 0)[0] != number:
            raise UserError(
                f"{source}: {key} has {(*shape, 0)[0]} rows, expected {number} as coord; write both from the same "
                "points"
            )
    if number < MIN_POINTS:
        raise UserError(f"{source}: {number} points, expected at least {MIN_POINTS}; remove this scan")


def _present(coord, source):
    """Mask of the points that have a place."""
    finite = np.isfinite(coord).all(axis=1)
    zero = (coord == 0).all(axis=1)
    zero &= _is_placeholder(coord[finite & ~zero], zero.sum())
    kept = finite & ~zero
    reasons = {"NaN or Inf in coord": ~finite, "all coordinates 0, as a sensor without an echo writes": zero}
    found = "; ".join(f"{mask.sum()} of {len(coord)} points have {why}" for why, mask in reasons.items() if mask.any())
    if kept.sum() < MIN_POINTS:
        raise UserError(f"{source}: {found}; expected at least {MIN_POINTS} other points; remove this scan")
    if found:
        notice("missing points", f"{source}: {found}: left out; give them coordinates, or remove them, to overrule")
    return kept


def _is_placeholder(others, number):
    """Whether `number` points at the origin are too many to be measured there: no other place is shared like it."""
    if not len(others) or number <= MIN_ZEROS * len(others):
        return False
    most = np.unique(np.ascontiguousarray(others), axis=0, return_counts=True)[1].max()
    return number >= 5 * most


def _color(value, source):
    """(N, 3) float32 0..255, gray where a point has none; None where no point has one."""
    value, kind = value[:, :3], value.dtype
    known = _known(value)
    if not known.size:
        return _absent("color", value, source)
    low, high = np.quantile(known, (0.05, 0.99))
    scale = _range(known, kind)
    if scale is None or low < -0.1 * scale:
        raise UserError(
            f"{source}: colors from {low:.4g} to {high:.4g} (5 % and 99 % quantile), {KNOWN}; from -1..1: "
            "(color + 1) / 2, else divide by the largest value that is possible"
        )
    result = value.astype(np.float64) * (BYTE / scale)
    none = ~np.isfinite(result).all(axis=1)
    outside = int((((result < -0.5) | (result > BYTE + 0.5)).any(axis=1) & ~none).sum())
    dark = high * BYTE / scale < ALMOST_BLACK
    if outside or dark or not (scale == BYTE or (kind == np.uint16 and scale == WORD)):
        clipped = f", {outside} points outside of it clipped" if outside else ""
        dark = ", almost black" if dark else ""
        notice(
            "colors",
            f"{source}: colors up to {high:.4g} (99 % quantile{dark}), taken for 0..{scale}{clipped}; write 0..255 as "
            "uint8 to overrule",
        )
    if none.any():
        notice("missing colors", f"{source}: {none.sum()} of {len(value)} points have NaN or Inf in color: made gray")
        result[none] = GRAY
    return np.clip(result, 0, BYTE).astype(np.float32)


def _strength(value, source):
    """(N, 1) float32 0..1, the median where a point has none; None where no point has one."""
    value, kind = value.reshape(-1), value.dtype
    known = _known(value)
    if not known.size:
        return _absent("strength", value, source)
    low, high = np.quantile(known, (0.01, 0.99))
    scale = _range(known, kind)
    if scale is None or low < -0.02 * scale:
        # dB, or counts around zero: no convention says where 0 and 1 are
        low, high = np.quantile(value[np.isfinite(value)].astype(np.float64), (0.01, 0.99))
        said, end = f"strength from {low:.4g} to {high:.4g} (1 % and 99 % quantile), scaled to 0..1", high
        scale = None
    else:
        said, low, end = f"strength up to {high:.4g} (99 % quantile), taken for 0..{scale}", 0, scale
    result = (value.astype(np.float64) - low) / ((end - low) or 1)
    none = ~np.isfinite(result)
    outside = int((((result < -0.01) | (result > 1.01)) & ~none).sum())
    stated = kind == np.uint8 or (kind == np.uint16 and scale == WORD) or scale == 1
    if outside or not stated:
        clipped = f", {outside} points outside of it clipped" if outside else ""
        notice("strength", f"{source}: {said}{clipped}; write 0..1 as float to overrule")
    result = np.clip(result, 0, 1)
    if none.any():
        notice(
            "missing strength", f"{source}: {none.sum()} of {len(value)} points have NaN or Inf in strength: the median"
        )
        result[none] = np.median(result[~none])
    return result.astype(np.float32)[:, None]


def _normal(value, source):
    """(N, 3) float32 unit, (0, 0, 0) where a point has none; None where no point has one."""
    value = value.astype(np.float64)
    length = np.linalg.norm(value, axis=1)
    known = np.isfinite(length) & (length > 0)
    known &= length > max(1e-6, 1e-3 * np.median(length[known])) if known.any() else False
    if not known.any():
        return _absent("normal", value, source, "estimated where they are needed")
    unit = np.where(known[:, None], value / np.where(known, length, 1)[:, None], 0)
    if (np.abs(unit[known] - np.median(unit[known], axis=0)) < 1e-6).all():
        notice("normals", f"{source}: all normals are the same, and kept; without them they are estimated")
    if not known.all():
        count = len(known) - known.sum()
        notice("normals", f"{source}: {count} of {len(known)} normals are 0 or NaN: estimated where they are needed")
    return unit.astype(np.float32)


def _segment(value, source):
    return segment_values(value.reshape(-1), source)


DECIDE = dict(color=_color, normal=_normal, strength=_strength, segment=_segment)


def _known(value):
    """The finite numbers (K,) that are not 0: points without a color are black, and may be most of a scan."""
    return value[np.isfinite(value) & (value != 0)].astype(np.float64)


def _absent(key, value, source, then="as if the scan had none"):
    """None, and a word about it."""
    what = "0" if not np.isnan(value).any() else "NaN or 0"
    notice(f"no {key}", f"{source}: {key} is {what} at all points, taken for not there: {then}")


def _range(known, kind):
    """The end of the range 0..1, 0..255 or 0..65535 that the numbers come from; None for another."""
    high, median = np.quantile(known, 0.99), np.median(known)
    whole = kind.kind in "iu" or (known == np.rint(known)).mean() > 0.99
    if kind.kind == "b" or (kind.kind == "f" and high <= 1 and not (whole and known.max() >= 2)):
        return 1
    if not whole and median <= 1 and high <= 2 * OVER:
        return 1
    if high <= OVER * BYTE:
        return BYTE
    return WORD if high <= OVER * WORD else None

"""Is a scan upright and in the unit of its voxel? Neither stands in its file, and both decide what is found."""

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext import ops
from pointins_ext.errors import UserError, notice

# -- units. Surfaces are sampled more finely than their voxel (0.05 to 0.6 voxels in rooms and on table tops), sweeps up
# to 2 voxels apart. Beyond 3, what leftovers are joined over, half of the points have nobody to join, and beyond 20 no
# surface is left: 1 mm to 10 mm between points, written as millimeters, is 25 to 250 voxels of 4 cm.
SPARSE_VOXELS = 3.0
LONELY_VOXELS = 20.0
WIDE_VOXELS = 5000.0  # 200 m: no room, but a room or a table in millimeters
MIN_WIDTH_VOXELS = 32.0  # a table of 1 m in voxels of 4 cm has 25, and its objects have one or two
QUERIES = 1000

# -- up axis
CELLS = 64  # of the coarse grid along the longest side: a plane is one or two cells thick
MAX_POINTS = 200_000  # more are thinned first
MIN_CELLS = 500  # occupied; fewer say nothing
ALONG = 0.9  # cosine between an axis and the normals of a plane across it
MIN_SHARE = 0.12  # of the occupied cells, on the floor
MAX_UNDER = 0.05  # of the points may lie under a floor: mirrors, noise, a pit
MIN_OVER = 0.005  # of the points must stand on it
MARGIN = 1.15  # a floor is so much larger than any wall
FLAT = 0.75  # rooms, table tops and sweeps are lower than this share of their width


# -- oblique frames
THICK = 1.5  # cells that a plane may be thick on either side
MIN_OBLIQUE, MAX_OBLIQUE = 0.2, 0.94  # |z| of a normal: walls are below, ramps of up to 20 degrees above
MIN_OBLIQUE_SHARE = 0.25  # of the occupied cells on the plane: roofs and slopes are less

AXES = ("+x", "-x", "+y", "-y", "+z", "-z")
TURN = {  # proper rotations that take an up axis to +z
    "+x": "coord[:, [2, 1, 0]] * [-1, 1, 1]",
    "-x": "coord[:, [2, 1, 0]] * [1, 1, -1]",
    "+y": "coord[:, [0, 2, 1]] * [1, -1, 1]",
    "-y": "coord[:, [0, 2, 1]] * [1, 1, -1]",
    "-z": "coord * [1, -1, -1]",
}


def check_units(coord, voxel, source):
    """Whether the spacing and the extent of a scan fit its `voxel`, an edge in the scan's unit; else a ScanWarning.

    ValueError where the points lie more than 20 voxels apart (median): no network and no radius can join them.
    """
    extent = float(np.ptp(coord, axis=0).max())
    spacing = point_spacing(coord)
    width = f"{extent:.3g} wide, {extent / voxel:.3g} voxels of {voxel:.3g}"
    if spacing > SPARSE_VOXELS * voxel:
        text = _other_unit(spacing, extent, voxel, source, ", too far to join")
        if spacing > LONELY_VOXELS * voxel:
            raise UserError(text)
        notice("units", text)
        return False
    if extent < MIN_WIDTH_VOXELS * voxel:
        notice(
            "units",
            f"{source}: the scan is only {width}, its objects a few: they may merge or be too small to count; give a "
            f"finer voxel (--grid-size, grid_size=; its points lie {spacing:.2g} apart), or meters if it has others",
        )
        return False
    return True


def check_meters(spacing, extent, voxel, source):
    """Whether a scan whose `voxel` nobody has given can be in the unit of that of training; else a ScanWarning.

    ValueError where its points lie more than 20 such voxels apart.
    """
    if spacing > LONELY_VOXELS * voxel:
        raise UserError(_other_unit(spacing, extent, voxel, source, " of training"))
    if extent > WIDE_VOXELS * voxel:
        notice("units", _other_unit(spacing, extent, voxel, source, " of training"))
        return False
    return True


def _other_unit(spacing, extent, voxel, source, more):
    return (
        f"{source}: its points lie {spacing:.3g} apart (median), {spacing / voxel:.3g} voxels of {voxel:.3g}{more}; "
        f"the scan is {extent:.3g} wide: {extent / 1000:.3g} m if it is in millimeters, {extent / 100:.3g} m in "
        "centimeters; divide the coordinates by 1000 or 100, or give the voxel in their unit (--grid-size, grid_size=)"
    )


def check_up(coord, source):
    """Whether nothing speaks against z being up, see `up_axis`, `floor_tilt`; else a ScanWarning with the cure."""
    axis, turn = up_axis(coord), "pointins segment turns it: --up auto (up='auto')"
    if axis is not None:
        name = "-z, upside down," if axis == "-z" else axis.removeprefix("+")
        found = f"{name} looks like the up axis (there lies the largest flat surface, with all else on one side of it)"
        turn = f"turn the scan, and its normals likewise: {TURN[axis]}, or {turn}"
    elif (tilt := floor_tilt(coord)) is not None:
        found = f"its largest flat surface, with all else on one side of it, is tilted by {tilt:.0f} degrees"
    else:
        return True
    notice("up axis", f"{source}: {found}, but z must point up; {turn}; if z is up, ignore this")
    return False


def point_spacing(coord, seed=0):
    """Median distance to the nearest point elsewhere, of at most 1,000 points of coord (N, 3).

    A point that has its 8 nearest at its own place counts as 0.
    """
    rows = np.random.default_rng(seed).permutation(len(coord))[:QUERIES]
    distance, _ = cKDTree(coord, balanced_tree=False, compact_nodes=False).query(coord[rows], min(9, len(coord)))
    elsewhere = np.where(distance > 0, distance, np.inf).reshape(len(rows), -1).min(axis=1)
    return float(np.median(np.where(np.isfinite(elsewhere), elsewhere, 0)))


def robust_extent(coord):
    """The longest side of the box around coord (N, 3), from the 1st to the 99th percentile: strays do not count."""
    return float(np.ptp(np.percentile(_thinned(coord), [1, 99], axis=0), axis=0).max())


def up_axis(coord):
    """The signed axis, "-z" or "+y" say, that is much more plausible as up than +z; None where there is none.

    coord (N, 3) in any unit. A floor, table top or road is a large plane across an axis with (nearly) nothing on one
    side of it. Its axis is up if it outweighs the planes that bound the scan elsewhere, and the scan is low along it.

    In the six orientations of each of 60 synthetic rooms, 60 synthetic drives, 45 table tops (mOSD) and 25 real sweeps
    it found fault with none that was upright and named the right axis of 945 of the 950 others. It is silent on rooms
    with a ceiling, which equals the floor, on single objects and on oblique frames (a camera's). A facade with things
    before it, scanned alone, can look like a floor on its side.
    """
    found = _bounding_planes(coord)
    if found is None:
        return None
    weight, extent = found
    best = max(AXES, key=weight.get)
    if best == "+z" or weight[best] < MIN_SHARE:
        return None
    along = AXES.index(best) // 2
    rivals = max(weight[axis] for axis in AXES if axis != best)
    is_flat = extent[along] <= FLAT * np.delete(extent, along).min()
    return best if weight[best] >= MARGIN * rivals and is_flat else None


def floor_normal(coord):
    """Unit normal (3,) of the largest plane of coord (N, 3), towards the side where most points are, and the shares of
    the occupied cells on it and behind it; None for too few cells.
    """
    point = _coarse(np.asarray(coord))
    if len(point) < MIN_CELLS:
        return None
    normal, level, on_plane = (value.numpy() for value in ops.largest_plane(torch.from_numpy(point), THICK))
    height = point @ normal - level
    above, under = (height > THICK).mean(), (height < -THICK).mean()
    sign = 1 if above >= under else -1
    return sign * normal, float(on_plane.mean()), float(min(above, under))


def floor_tilt(coord):
    """Angle, degrees, by which the floor of coord (N, 3) is tilted where it is clearly oblique; None elsewhere.

    A floor, as a camera sees it: the largest plane, neither level nor upright, with (nearly) nothing behind it. Silent
    on all upright scans that `up_axis` was tried on.
    """
    found = floor_normal(coord)
    if found is None:
        return None
    normal, share, behind = found
    oblique = MIN_OBLIQUE <= abs(normal[2]) <= MAX_OBLIQUE
    if not (oblique and share >= MIN_OBLIQUE_SHARE and behind <= MAX_UNDER):
        return None
    return float(np.degrees(np.arccos(normal[2])))


def _bounding_planes(coord):
    """Area of the largest plane that bounds the scan from below along each signed axis, as a share of the occupied
    cells, and the scan's extent (3,) in cells; None for too few cells.
    """
    point = _coarse(np.asarray(coord))
    if len(point) < MIN_CELLS:
        return None
    normal = ops.estimate_normals(torch.from_numpy(point)).numpy()
    layer = point.astype(np.int64)
    weight = {}
    for i, axis in enumerate("xyz"):
        number = layer[:, i].max() + 1
        slab = _slab_areas(layer[np.abs(normal[:, i]) > ALONG], i, number) / len(point)
        below = np.cumsum(np.bincount(layer[:, i], minlength=number + 1)) / len(point)
        under, over = np.append(0, below[:-2]), 1 - below[1:]
        weight[f"+{axis}"] = _floor(slab, under, over)
        weight[f"-{axis}"] = _floor(slab, over, under)
    low, high = np.percentile(point, [1, 99], axis=0)
    return weight, high - low


def _slab_areas(layer, axis, number):
    """Columns along `axis` that cells (M, 3) occupy in pairs of neighboring layers: a plane may lie on a border."""
    column = np.ravel_multi_index(np.delete(layer, axis, axis=1).T, (2 * CELLS,) * 2)
    key = np.unique(column * (2 * CELLS) + layer[:, axis])
    count = np.bincount(key % (2 * CELLS), minlength=number + 1)
    both = np.bincount(key[np.isin(key + 1, key)] % (2 * CELLS), minlength=number + 1)
    return (count[:-1] + count[1:] - both[:-1])[:number]


def _floor(slab, under, over):
    """The largest slab that something stands on and (nearly) nothing lies under; no part of the largest of all."""
    largest = slab.argmax()
    apart = np.abs(np.arange(len(slab)) - largest) > 2
    apart[largest] = True
    is_floor = apart & (under <= MAX_UNDER) & (over >= MIN_OVER) & (under <= over / 3)
    return float(slab[is_floor].max(initial=0))


def _thinned(coord):
    return coord[:: -(-len(coord) // MAX_POINTS)]


def _coarse(coord):
    """One point of each occupied cell of a coarse grid, in cells from its corner; strays far outside are left out."""
    coord = _thinned(coord).astype(np.float64)
    low, high = np.percentile(coord, [1, 99], axis=0)
    side = max(float((high - low).max()), 1e-9)
    coord = coord[((coord > low - side / 10) & (coord < high + side / 10)).all(axis=1)]
    point = (coord - coord.min(axis=0, initial=np.inf)) * (CELLS / side)
    key = np.ravel_multi_index(point.astype(np.int64).T, (2 * CELLS,) * 3)
    return point[np.unique(key, return_index=True)[1]]

"""Scans whose z does not point up, turned: the network sees them upright, and results go back to the file's frame."""

import numpy as np

from pointins_ext.datasets.frame import floor_normal, up_axis

UPS = ("x", "y", "z", "-x", "-y", "-z", "auto")
LEVEL = 0.9994  # cosine of 2 degrees: a floor that is no more tilted is level
STEEP = 0.2  # |z| of the normals of walls, which say nothing about what is up


def upright_turn(coord, up):
    """Rotation (3, 3) that makes the axis `up` of coord (N, 3) the z axis: upright = coord @ turn.T, back by @ turn.

    up: one of UPS, None for "z". "auto" turns what `up_axis` finds, then levels the largest plane, with most points
    above it; where that plane is a wall, z stays up.
    """
    if up in (None, "z"):
        return np.eye(3)
    if up != "auto":
        return rotation_to_z(_unit(up))
    axis = up_axis(coord)
    turn = np.eye(3) if axis is None else rotation_to_z(_unit(axis.removeprefix("+")))
    found = floor_normal(coord)
    if found is None:
        return turn
    normal = turn @ found[0]
    return turn if normal[2] > LEVEL or abs(normal[2]) < STEEP else rotation_to_z(normal) @ turn


def turned(scene, turn):
    """A scene as `read_scan` gives it with coord and normal turned by `turn` (3, 3)."""
    if np.array_equal(turn, np.eye(3)):
        return scene
    turn = turn.astype(np.float32)
    return scene | {key: scene[key] @ turn.T for key in ("coord", "normal") if key in scene}


def rotation_to_z(axis):
    """The shortest rotation (3, 3) that takes the unit vector `axis` (3,) to +z; half a turn about x from -z."""
    x, y, z = axis
    if z < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])  # of the matrix product with axis x z
    return np.eye(3) + cross + cross @ cross / (1 + z)


def _unit(name):
    return np.where([axis == name[-1] for axis in "xyz"], -1.0 if name[0] == "-" else 1.0, 0.0)

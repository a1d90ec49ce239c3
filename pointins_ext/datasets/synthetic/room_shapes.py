"""Solid primitives that furniture is built of: surface samples with analytic normals, inside test, footprints."""

from typing import NamedTuple

import numpy as np

FOOTPRINT_VERTICES = 12


class Part(NamedTuple):
    """One solid: an upright box, frustum (cylinder, cone) or sphere.

    kind: "box", "frustum" or "sphere". center (3,): meters. size (3,): full lengths; a frustum has its bottom diameter
    in size[0], a sphere its diameter. yaw: radians about z. taper: top radius over bottom radius of a frustum.
    """

    kind: str
    center: np.ndarray
    size: np.ndarray
    yaw: float = 0.0
    taper: float = 1.0

    @property
    def bottom(self):
        return self.center[2] - self.size[2] / 2

    @property
    def top(self):
        return self.center[2] + self.size[2] / 2


def box(center, size, yaw=0.0):
    """Box by its center and full lengths."""
    return Part("box", np.asarray(center, float), np.asarray(size, float), yaw)


def frustum(center, diameter, height, taper=1.0):
    """Upright cylinder (taper 1), cone frustum (taper 0..1) or flaring bucket (taper > 1)."""
    return Part("frustum", np.asarray(center, float), np.array([diameter, diameter, height], float), 0.0, taper)


def sphere(center, diameter):
    """Ball by its center and diameter."""
    return Part("sphere", np.asarray(center, float), np.full(3, diameter, float))


def spheroid(center, diameter, height):
    """Ellipsoid that is round seen from above."""
    return Part("spheroid", np.asarray(center, float), np.array([diameter, diameter, height], float))


def rotation(yaw):
    """(2, 2) matrix that turns column vectors by yaw radians, counter-clockwise."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s], [s, c]])


def moved(part, yaw, shift):
    """The part turned about the origin's z axis, then shifted by (3,) meters."""
    center = part.center.copy()
    center[:2] = rotation(yaw) @ center[:2]
    return part._replace(center=center + shift, yaw=part.yaw + yaw)


def sample_surface(part, density, rng):
    """Uniform samples on the whole surface.

    Returns coord (N, 3) and unit outward normal (N, 3), about `density` points a square meter.
    """
    local, normal = _SAMPLERS[part.kind](part, density, rng)
    turn = rotation(part.yaw)
    for array in (local, normal):
        array[:, :2] = array[:, :2] @ turn.T
    return local + part.center, normal


def inside(part, coord, margin=0.0):
    """(N,) bool: the points that lie in the solid grown by `margin` meters."""
    local = coord - part.center
    height = np.abs(local[:, 2]) <= part.size[2] / 2 + margin
    if part.kind == "box":
        flat = np.abs(local[:, :2] @ rotation(part.yaw))
        return height & (flat <= part.size[:2] / 2 + margin).all(axis=1)
    if part.kind == "sphere":
        return (local**2).sum(axis=1) <= (part.size[0] / 2 + margin) ** 2
    level = np.clip(local[:, 2] / part.size[2] + 0.5, 0.0, 1.0)
    radius = part.size[0] / 2 * (1.0 + (part.taper - 1.0) * level)
    return height & ((local[:, :2] ** 2).sum(axis=1) <= (radius + margin) ** 2)


def footprint(part):
    """Counter-clockwise convex outline (12, 2) in the floor plane around the part; boxes repeat their corners."""
    if part.kind == "box":
        corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * part.size[:2] / 2
        corner = np.repeat(corner, FOOTPRINT_VERTICES // 4, axis=0)
    else:
        angle = np.arange(FOOTPRINT_VERTICES) * 2 * np.pi / FOOTPRINT_VERTICES
        radius = part.size[0] / 2 * max(1.0, part.taper) / np.cos(np.pi / FOOTPRINT_VERTICES)
        corner = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return corner @ rotation(part.yaw).T + part.center[:2]


def footprint_normals(part):
    """Outward edge directions (12, 2) of `footprint`; boxes repeat theirs."""
    if part.kind == "box":
        edge = np.repeat(np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), FOOTPRINT_VERTICES // 4, axis=0)
    else:
        angle = (np.arange(FOOTPRINT_VERTICES) + 0.5) * 2 * np.pi / FOOTPRINT_VERTICES
        edge = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return edge @ rotation(part.yaw).T


def bounds(parts):
    """Lowest and highest corner, (3,) each, of a box along the axes that contains the parts."""
    corner = np.concatenate([footprint(p) for p in parts])
    low, high = min(p.bottom for p in parts), max(p.top for p in parts)
    return np.append(corner.min(axis=0), low), np.append(corner.max(axis=0), high)


def _count(area, density, rng):
    return int(area * density + rng.random())


def _sample_box(part, density, rng):
    coords, normals = [], []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        for sign in (-1.0, 1.0):
            count = _count(part.size[others].prod(), density, rng)
            coord = (rng.random((count, 3)) - 0.5) * part.size
            coord[:, axis] = sign * part.size[axis] / 2
            normal = np.zeros((count, 3))
            normal[:, axis] = sign
            coords.append(coord)
            normals.append(normal)
    return np.concatenate(coords), np.concatenate(normals)


def _sample_frustum(part, density, rng):
    height, bottom = part.size[2], part.size[0] / 2
    top = bottom * part.taper
    slant = np.hypot(height, bottom - top)
    count = _count(np.pi * (bottom + top) * slant, density, rng)
    # The ring's circumference is linear in the height: invert its cumulative area.
    u = rng.random(count)
    radius = np.sqrt(bottom**2 + u * (top**2 - bottom**2))
    level = u if np.isclose(top, bottom) else (radius - bottom) / (top - bottom)
    angle = rng.random(count) * 2 * np.pi
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    side = np.column_stack([around * radius[:, None], (level - 0.5) * height])
    side_normal = np.column_stack([around * height / slant, np.full(count, (bottom - top) / slant)])
    coords, normals = [side], [side_normal]
    for sign, cap in ((-1.0, bottom), (1.0, top)):
        count = _count(np.pi * cap**2, density, rng)
        angle, radius = rng.random(count) * 2 * np.pi, cap * np.sqrt(rng.random(count))
        level = np.full(count, sign * height / 2)
        coords.append(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), level]))
        normals.append(np.tile([0.0, 0.0, sign], (count, 1)))
    return np.concatenate(coords), np.concatenate(normals)


def _sample_sphere(part, density, rng):
    radius = part.size[0] / 2
    normal = rng.standard_normal((_count(4 * np.pi * radius**2, density, rng), 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return normal * radius, normal.copy()


_SAMPLERS = {"box": _sample_box, "frustum": _sample_frustum, "sphere": _sample_sphere}

"""Where rays meet the solids of synthetic scenes."""

import numpy as np

from pointins_ext.datasets.synthetic.room_shapes import Part


def hit(part: Part, start, ray):
    """First hits of rays with one solid, all in the solid's own frame, its middle at the origin.

    part.kind: "box", "frustum", "cup" (a frustum without its top), "spheroid", "plane" (z = 0) or "sphere". start (3,)
    in meters, ray (N, 3) of unit length. Returns distance (N,), inf or nan where nothing is hit, and the cosine (N,)
    of the angle between ray and surface normal.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _HITS[part.kind](part, start, ray)


def _box(part, start, ray):
    half = part.size / 2
    enter, leave = (-half - start) / ray, (half - start) / ray
    enter, leave = np.minimum(enter, leave), np.maximum(enter, leave)
    axis = enter.argmax(axis=1)
    t = np.take_along_axis(enter, axis[:, None], 1)[:, 0]
    facing = np.abs(np.take_along_axis(ray, axis[:, None], 1)[:, 0])
    return np.where(t <= leave.min(axis=1), t, np.inf), facing


def _frustum(part, start, ray):
    """The nearest of both roots of the side and of the caps; a cup shows the inside of its wall and of its bottom."""
    half, bottom = part.size[2] / 2, part.size[0] / 2
    middle, slope = bottom * (1 + part.taper) / 2, bottom * (part.taper - 1) / part.size[2]
    radius = middle + slope * start[2]  # of the cone at the height of the start
    a = (ray[:, :2] ** 2).sum(axis=1) - (slope * ray[:, 2]) ** 2
    b = ray[:, :2] @ start[:2] - slope * radius * ray[:, 2]
    root = np.sqrt(b**2 - a * ((start[:2] ** 2).sum() - radius**2))
    ends = (-1,) if part.kind == "cup" else (-1, 1)
    side = [(-b - root) / a, (-b + root) / a]
    caps = [(end * half - start[2]) / ray[:, 2] for end in ends]
    met = [np.abs(start[2] + t * ray[:, 2]) <= half for t in side]
    for end, t in zip(ends, caps, strict=True):
        met.append(np.square(start[:2] + t[:, None] * ray[:, :2]).sum(axis=1) <= (middle + end * half * slope) ** 2)
    t = np.stack(side + caps)
    t = np.where(np.stack(met) & (t > 0), t, np.inf)
    which = t.argmin(axis=0)
    # the side's normal is (x, y, -slope * its radius) up to its length
    at_side = root / (middle + slope * (start[2] + t.min(axis=0) * ray[:, 2])) / np.hypot(1.0, slope)
    return t.min(axis=0), np.where(which < 2, np.abs(at_side), np.abs(ray[:, 2]))


def _spheroid(part, start, ray):
    half = part.size / 2  # a unit sphere in coordinates divided by the half axes
    origin, direction = start / half, ray / half
    a, b = (direction**2).sum(axis=1), direction @ origin
    t = (-b - np.sqrt(b**2 - a * ((origin**2).sum() - 1))) / a
    normal = (origin + t[:, None] * direction) / half
    return t, np.abs((normal * ray).sum(axis=1)) / np.linalg.norm(normal, axis=1)


def _plane(part, start, ray):
    return -start[2] / ray[:, 2], np.abs(ray[:, 2])


_HITS = dict(box=_box, frustum=_frustum, cup=_frustum, spheroid=_spheroid, sphere=_spheroid, plane=_plane)

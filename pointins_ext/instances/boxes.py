"""Upright boxes of instances: the smallest rectangle over the ground times the height, without strays."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError

from pointins_ext.errors import UserError
from pointins_ext.ops import as_array, neighbours, radius_components

NEIGHBOR = 4  # the distance to this neighbor, its median over an instance, is the spacing of its points
GAP = 3.5  # spacings that part a piece from the rest
PIECE = 0.05  # share of an instance's points from which a piece apart is no stray
SLACK = 1.25  # of the smallest area: a scanned L fits into two rectangles of equal area, one along its diagonal
SAMPLE = 300  # points of an instance that tell its spacing, and choose between the rectangles


@dataclass(frozen=True)
class Boxes:
    """Upright boxes of I instances, meters, z up.

    center (I, 3), the middle; size (I, 3), length >= width, height; yaw (I,), radians of the length from x towards y,
    within [-pi/2, pi/2): nothing says which end is the front.
    """

    center: np.ndarray
    size: np.ndarray
    yaw: np.ndarray

    def __len__(self) -> int:
        return len(self.yaw)

    def footprint(self) -> np.ndarray:
        """Corners (I, 4, 2) of the rectangles over the ground, counterclockwise from the front left one."""
        cos, sin = np.cos(self.yaw)[:, None], np.sin(self.yaw)[:, None]
        along = self.size[:, :1] / 2 * [1, -1, -1, 1]
        across = self.size[:, 1:2] / 2 * [1, 1, -1, -1]
        return self.center[:, None, :2] + np.stack([cos * along - sin * across, sin * along + cos * across], axis=2)

    def corners(self) -> np.ndarray:
        """Corners (I, 8, 3): those of `footprint` at the bottom, then at the top."""
        floor = self.footprint()
        height = self.center[:, 2:] + self.size[:, 2:] / 2 * [-1, -1, -1, -1, 1, 1, 1, 1]
        return np.concatenate([np.concatenate([floor, floor], axis=1), height[:, :, None]], axis=2)


def oriented_boxes(coord, instance) -> Boxes:
    """Boxes of the instances 0..I-1, `instance` (N,) with -1 = none, of points `coord` (N, 3) in meters, z up.

    `strays` are left out first. Raises ValueError if an id below the largest has no point, or coordinates of an
    instance are not finite.
    """
    coord, instance = as_array(coord).astype(np.float64), as_array(instance).astype(np.int64)
    order = np.argsort(instance, kind="stable")[np.count_nonzero(instance < 0) :]
    coord, instance = coord[order], instance[order]
    count = np.bincount(instance)
    if not count.all():
        raise UserError(f"oriented_boxes: instance {np.argmin(count)} of 0..{len(count) - 1} has no point; renumber")
    if not np.isfinite(coord).all():
        raise UserError("oriented_boxes: the coord of an instance is not finite; give such points the instance -1")
    kept = ~strays(coord, instance)
    groups = np.split(coord[kept], np.cumsum(np.bincount(instance[kept]))[:-1])
    box = np.array([upright_box(points, SLACK) for points in groups if len(points)]).reshape(-1, 7)
    return Boxes(box[:, :3], box[:, 3:6], box[:, 6])


def strays(coord, instance):
    """Mask (N,) of the points `coord` (N, 3), meters, that lie apart from their `instance` (N,), 0..I-1 ascending.

    These are the pieces of an instance with less than a PIECE of its points, farther than GAP spacings from the rest.
    On labeled objects of training scans, 2 % far points added, the box's IoU with that of the object alone rises from
    13 to 93 % (rooms), 18 to 85 % (PandaSet), 2 to 100 % (table tops). Without any added, 100, 88, and 100 % remain: in
    sweeps a car's sparse end is apart, too. Quantiles cut every object (63 to 87 % at 1 %) and spare clumps.
    """
    if len(coord) == 0:
        return np.zeros(0, bool)
    count = np.bincount(instance)
    start = np.cumsum(count) - count
    # where most points coincide there is no spacing, and all are one piece
    spacing = _spacing(coord, instance, start, count)
    unit = np.where(spacing > 0, 1 / (GAP * np.maximum(spacing, 1e-12)), 0)
    scaled = (coord - np.minimum.reduceat(coord, start)[instance]) * unit[instance, None]
    part = radius_components(torch.from_numpy(scaled), 1.0, torch.from_numpy(instance)).numpy()
    size = np.bincount(part)[part]
    return (size < PIECE * count[instance]) & (size < np.maximum.reduceat(size, start)[instance])


def _spacing(coord, instance, start, count):
    """Median (I,) distance of an instance's points to their neighbor NEIGHBOR, or to the farthest of fewer."""
    place = np.arange(len(coord)) - start[instance]
    some = np.flatnonzero(place % (count[instance] // SAMPLE + 1) == 0)
    point, group = torch.from_numpy(coord), torch.from_numpy(instance)
    nearest = neighbours(point[some], point, group[some], group, k=NEIGHBOR + 1)
    apart = (point[nearest] - point[some, None]).norm(dim=2).masked_fill_(nearest < 0, 0).amax(dim=1).numpy()
    number = np.bincount(instance[some])
    return apart[np.lexsort([apart, instance[some]])][np.cumsum(number) - number + number // 2]


def upright_box(coord, slack=1.0):
    """(7,) box around all points (M, 3), M >= 1, meters: center, size with length >= width, height, yaw.

    Of the rectangles with a side along the convex hull, up to `slack` times as large as the smallest, it has the one
    with the points closest to its sides on average; 1.0 takes the smallest.
    """
    middle = coord.mean(axis=0, dtype=np.float64)
    point = coord - middle  # products of large coordinates would lose the small side
    corner, angle = _outline(point[:, :2])
    turned = _turned(corner, angle)
    low, high = turned.min(axis=1), turned.max(axis=1)
    area = np.prod(high - low, axis=1)
    near = np.flatnonzero(area <= slack * area.min())
    if len(near) > 1:
        some = point[:: len(point) // SAMPLE + 1, :2]
        apart = [_distance_to_sides(some, angle[i], low[i], high[i]) for i in near]
        near = near[[np.argmin(apart)]]
    yaw, (x, y), size = angle[near[0]], (low + high)[near[0]] / 2, (high - low)[near[0]]
    bottom, top = point[:, 2].min(), point[:, 2].max()
    cos, sin = np.cos(yaw), np.sin(yaw)
    center = middle + [cos * x - sin * y, sin * x + cos * y, (bottom + top) / 2]
    if size[0] < size[1]:
        size, yaw = size[::-1], yaw + np.pi / 2
    return np.array([*center, *size, top - bottom, (yaw + np.pi / 2) % np.pi - np.pi / 2])


def _turned(point, angle):
    """Points (M, 2) along the axes that are turned by each angle (A,): (A, M, 2)."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([cos * point[:, 0] + sin * point[:, 1], cos * point[:, 1] - sin * point[:, 0]], axis=2)


def _distance_to_sides(point, angle, low, high):
    """Mean distance of points (M, 2) inside a rectangle to its closest side; low, high: (2,) along the turned axes."""
    inside = _turned(point, np.array([angle]))[0]
    return np.minimum(inside - low, high - inside).min(axis=1).mean()


def _outline(point):
    """Convex hull (H, 2) and the directions of its edges, radians: one of them is a side of the smallest rectangle."""
    try:
        corner = point[ConvexHull(point).vertices]
    except QhullError:  # fewer than three points, or all on one line
        axis = np.linalg.svd(point, full_matrices=False)[2][0]
        return point, np.arctan2(axis[1:2], axis[:1])
    edge = np.roll(corner, -1, axis=0) - corner
    return corner, np.arctan2(edge[:, 1], edge[:, 0])

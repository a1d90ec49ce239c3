"""A structured-light depth camera before posed solids: what its pixels hit, what they measure, and what gets lost."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from pointins_ext.datasets.synthetic.ray_hits import hit

SIZE = (240, 320)  # rows, columns; half of the sensors' own
FOCAL = 290.0  # pixels
BASELINE = 0.075  # meters from the camera to its projector
GRAZING = 0.08  # cosine below which nothing comes back
EDGE = 0.02  # meters between neighboring pixels where a surface ends
FLYING = 0.1  # share of the pixels at an edge that measure something between both surfaces


class View(NamedTuple):
    """A camera: turn (3, 3), columns = its axes right, down, forward, and place (3,), meters."""

    turn: np.ndarray
    place: np.ndarray


class Image(NamedTuple):
    """What every pixel hits: depth (H, W) in meters along the axis, inf for nothing; solid (H, W), index or -1; cosine
    (H, W) of the angle between ray and surface normal."""

    depth: np.ndarray
    solid: np.ndarray
    cosine: np.ndarray


def look_at(place, target):
    """View from place (3,) towards target (3,), without roll."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return View(np.stack([right, np.cross(forward, right), forward], axis=1), place)


def render(solids, view):
    """`Image` of posed solids (part, turn, place)."""
    ray, length = _pixels()
    ray = ray @ view.turn.T
    depth, cosine = np.full(len(ray), np.inf), np.zeros(len(ray))
    owner = np.full(len(ray), -1)
    for number, solid in enumerate(solids):
        center = solid.turn @ solid.part.center + solid.place
        near = _may_hit(ray, center - view.place, solid.part)
        t, facing = hit(solid.part, (view.place - center) @ solid.turn, ray[near] @ solid.turn)
        t = t / length[near]
        closer = (t > 0) & (t < depth[near])  # False for nan
        target = near[closer]
        depth[target], cosine[target], owner[target] = t[closer], facing[closer], number
    return Image(*(value.reshape(SIZE) for value in (depth, owner, cosine)))


def measure(image, rng, noise=1.0):
    """Depth (H, W) that the camera reports, nan where none: noise that grows with the square of the distance, the
    projector's shadows, flying pixels at edges, grazing surfaces lost. noise: factor on the noise."""
    depth = np.where(np.isfinite(image.depth), image.depth, np.nan)
    blur = gaussian_filter(rng.standard_normal(SIZE), 1.0) * 3.5  # of standard deviation 1 again
    sigma = noise * (0.0008 + 0.0019 * np.clip(depth - 0.4, 0.0, None) ** 2)
    measured = depth + sigma * (0.7 * blur + 0.7 * rng.standard_normal(SIZE))
    left = np.roll(depth, 1, axis=1)
    flying = (np.abs(left - depth) > EDGE) & (rng.random(SIZE) < FLYING)
    measured = np.where(flying, depth + rng.random(SIZE) * (left - depth), measured)
    lost = _in_shadow(depth) | (image.cosine < GRAZING) | (rng.random(SIZE) < 0.01)
    return np.where(lost, np.nan, measured)


def unproject(depth, view):
    """Points (N, 3) of the scene's frame at the pixels of depth (H, W) that are not nan, row by row."""
    ray, length = _pixels()
    seen = np.isfinite(depth).ravel()
    # ray / cosine has depth 1
    return (ray[seen] * (depth.ravel()[seen] * length[seen])[:, None]) @ view.turn.T + view.place


def _pixels():
    """Unit rays (H W, 3) of the camera's frame, and their length (H W,) per meter of depth."""
    row, column = np.indices(SIZE)
    ray = np.stack([column - SIZE[1] / 2 + 0.5, row - SIZE[0] / 2 + 0.5, np.full(SIZE, FOCAL)], axis=2)
    ray = ray.reshape(-1, 3) / FOCAL
    length = np.linalg.norm(ray, axis=1)
    return ray / length[:, None], length


def _may_hit(ray, center, part):
    """Indices of the rays that pass a solid within the radius of a ball around it."""
    if part.kind == "plane":
        return np.arange(len(ray))
    along = ray @ center
    wide = max(part.taper, 1.0) if part.kind in ("frustum", "cup") else 1.0
    radius = np.linalg.norm(part.size * [wide, wide, 1.0]) / 2
    return np.flatnonzero((center @ center - along**2 < radius**2) & (along > -radius))


def _in_shadow(depth):
    """(H, W) bool: pixels that the projector, BASELINE meters to the right, does not see."""
    row, column = np.indices(SIZE)
    seen = np.isfinite(depth)
    row, column, near = row[seen], column[seen], depth[seen]
    ray = np.round(column - FOCAL * BASELINE / near).astype(int) + SIZE[1]
    nearest = np.full((SIZE[0], 2 * SIZE[1]), np.inf)
    ray = np.clip(ray, 0, 2 * SIZE[1] - 1)
    np.minimum.at(nearest, (row, ray), near)
    shadow = np.zeros(SIZE, bool)
    shadow[seen] = near > nearest[row, ray] + EDGE
    return shadow

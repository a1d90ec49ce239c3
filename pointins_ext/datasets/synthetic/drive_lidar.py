"""A spinning LiDAR in a street of solids: nearest hits of its rays, what they measure, and what gets lost."""

from typing import NamedTuple

import numpy as np

from pointins_ext.datasets.beams import LAYOUTS, BeamLayout
from pointins_ext.datasets.synthetic.ray_hits import hit
from pointins_ext.datasets.synthetic.room_shapes import footprint, rotation

# nuScenes drives with the HDL-32E, Argoverse 2 with VLP-32Cs, SemanticKITTI with the HDL-64E.
SENSORS = {
    "hdl32": LAYOUTS["HDL-32E"],
    "vlp32": LAYOUTS["VLP-32C"],
    "hdl64": LAYOUTS["HDL-64E"],
    "sparse16": BeamLayout.evenly(16, (-15, 15), resolution=0.2, height=1.73),
}
# (low, high) of what a surface sends back
ALBEDO = {
    "road": (0.12, 0.25),
    "sidewalk": (0.25, 0.4),
    "terrain": (0.3, 0.5),
    "building": (0.25, 0.7),
    "pole": (0.3, 0.8),
    "vegetation": (0.3, 0.6),
    "car": (0.1, 0.9),
    "truck": (0.2, 0.9),
    "person": (0.15, 0.7),
    "two-wheeler": (0.15, 0.6),
}
ROUGH = {"vegetation": 0.10, "terrain": 0.03}  # meters; leaves and grass, in place of the sensor's noise
NOISE_CLIP = 3.0  # standard deviations
GRAZING = 0.25  # share of the light that comes back whatever the angle
GAIN = 2.5  # echoes of strength 1 / GAIN are just safe at the largest range


class Pose(NamedTuple):
    """The sensor in the street: turn (3, 3), columns = its axes, and place (3,), meters."""

    turn: np.ndarray
    place: np.ndarray


def draw_pose(rng, y, height):
    """A sensor at (0, y, height), up to 10 degrees off the street's direction and 1 degree off level."""
    yaw, (pitch, roll) = rng.uniform(-10, 10), rng.uniform(-1, 1, 2)
    turn = np.eye(3)
    for angle, axes in ((yaw, (0, 1)), (pitch, (2, 0)), (roll, (1, 2))):
        step = np.eye(3)
        step[np.ix_(axes, axes)] = rotation(np.radians(angle))
        turn = turn @ step
    return Pose(turn, np.array([0.0, y, height]))


def rays(elevations, azimuth):
    """Unit directions (B, A, 3) in the sensor's frame; elevations (B,) in degrees, azimuth (A,) in radians."""
    level, rise = np.cos(np.radians(elevations))[:, None], np.sin(np.radians(elevations))[:, None]
    return np.stack(np.broadcast_arrays(level * np.cos(azimuth), level * np.sin(azimuth), rise), axis=2)


def cast(parts, pose, elevations, azimuth):
    """Nearest hit of every ray; azimuth (A,): equidistant over a full circle.

    Returns distance (B, A) in meters, inf where a ray hits nothing, owner (B, A), index into parts or -1, and the
    cosine (B, A) of the angle between ray and surface normal.
    """
    ray = rays(elevations, azimuth) @ pose.turn.T
    distance, cosine = np.full(ray.shape[:2], np.inf), np.zeros(ray.shape[:2])
    owner = np.full(ray.shape[:2], -1)
    for number, (part, column) in enumerate(zip(parts, _columns(parts, pose, azimuth), strict=True)):
        turned = rotation(part.yaw)
        start, direction = pose.place - part.center, ray[:, column].reshape(-1, 3)
        if part.yaw:
            start = np.append(start[:2] @ turned, start[2])
            direction = np.column_stack([direction[:, :2] @ turned, direction[:, 2]])
        t, facing = (value.reshape(len(ray), -1) for value in hit(part, start, direction))
        nearer = (t > 0) & (t < distance[:, column])  # False for nan
        beam, index = np.nonzero(nearer)
        target = (beam, column[index])
        distance[target], cosine[target], owner[target] = t[nearer], facing[nearer], number
    return distance, owner, cosine


def measure(distance, cosine, albedo, rough, max_range, dropout, rng):
    """What the sensor reports of hits (N,): noisy range (N,), strength (N,) 0..1, and whether it reports at all (N,).

    albedo, rough (N,): of the surface that is hit; rough is the standard deviation of the range, meters, cut at
    NOISE_CLIP of them. Echoes are lost by chance, and where they are weak for their range.
    """
    strength = albedo * (GRAZING + (1 - GRAZING) * cosine) * rng.normal(1.0, 0.05, len(distance))
    noise = np.clip(rng.standard_normal(len(distance)), -NOISE_CLIP, NOISE_CLIP) * rough
    chance = (1 - dropout) * np.minimum(GAIN * strength * (max_range / np.maximum(distance, 1.0)) ** 2, 1.0)
    seen = (distance + noise < max_range) & (rng.random(len(distance)) < chance)
    return distance + noise, np.clip(strength, 0.0, 1.0), seen


def _columns(parts, pose, azimuth):
    """Indices, for every part, of the columns of rays that can meet it."""
    flat = np.stack([footprint(p) for p in parts])
    level = np.array([[p.bottom, p.top] for p in parts])
    corner = np.concatenate([np.dstack([flat, np.repeat(z[:, None], flat.shape[1], 1)]) for z in level.T], axis=1)
    corner = (corner - pose.place) @ pose.turn
    center = (np.stack([p.center for p in parts]) - pose.place) @ pose.turn
    middle = np.arctan2(center[:, 1], center[:, 0])
    aside = np.arctan2(corner[..., 1], corner[..., 0]) - middle[:, None]
    aside = (aside + np.pi) % (2 * np.pi) - np.pi
    step = 2 * np.pi / len(azimuth)
    first = np.ceil((middle + aside.min(axis=1) - azimuth[0]) / step - 1e-6).astype(int)
    last = np.floor((middle + aside.max(axis=1) - azimuth[0]) / step + 1e-6).astype(int)
    # A part around the sensor has corners on all sides: every column may meet it.
    around = (np.abs(aside).max(axis=1) > 0.45 * np.pi) | (np.array([p.kind for p in parts]) == "plane")
    whole = np.arange(len(azimuth))
    return [
        whole if full else np.arange(low, high + 1) % len(azimuth)
        for full, low, high in zip(around, first, last, strict=True)
    ]

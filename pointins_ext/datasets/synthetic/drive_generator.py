"""Simulated LiDAR sweeps of streets with known instances: one sweep from one seed, NumPy only."""

import numpy as np

from pointins_ext.datasets.synthetic.drive_layout import LANE, street
from pointins_ext.datasets.synthetic.drive_lidar import ALBEDO, ROUGH, SENSORS, cast, draw_pose, measure, rays
from pointins_ext.errors import UserError

CLASS_NAMES = tuple(ALBEDO)  # road, sidewalk, terrain, building, pole, vegetation, car, truck, person, two-wheeler
STUFF = (0, 1, 2, 3, 4, 5)
THINGS = (6, 7, 8, 9)


def generate_drive(
    seed,
    name=None,
    sensor="hdl32",
    columns=720,
    max_range=60.0,
    noise=0.02,
    dropout=0.05,
    min_points=5,
):
    """Simulates one sweep of a spinning LiDAR in a street; equal arguments give equal arrays.

    seed: int or numpy SeedSequence. sensor: a name of SENSORS. columns: azimuth steps of a turn. max_range: meters.
    noise: standard deviation of the range, meters, on smooth surfaces. dropout: share of echoes lost by chance.
    min_points: objects seen by fewer points become void (segment and instance -1): they are there, as in a real sweep,
    but nobody could label them.
    Returns a scene in the sensor's frame: coord (N, 3) in meters, z up, the ground near z = -1.7; strength (N, 1) 0..1;
    segment (N,) index into CLASS_NAMES; instance (N,) 0..G-1, -1 on stuff; name; split. ValueError for an unknown
    sensor.
    """
    if sensor not in SENSORS:
        raise UserError(f"sensor is {sensor!r}: generate_drive knows {', '.join(SENSORS)}")
    rng, layout = np.random.default_rng(seed), SENSORS[sensor]
    items = street(rng, max_range)
    pose = draw_pose(rng, -LANE / 2, layout.height)
    azimuth = (np.arange(columns) + rng.random()) * 2 * np.pi / columns - np.pi
    scene = _sweep(items, pose, layout.elevations, azimuth, max_range, noise, dropout, rng)
    scene.update(_labels(items, scene.pop("item"), min_points))
    return dict(scene, name=name or f"drive_{seed}", split="generated")


def _sweep(items, pose, elevations, azimuth, max_range, noise, dropout, rng):
    parts = [part for item in items for part in item.parts]
    owner = np.repeat(np.arange(len(items)), [len(item.parts) for item in items])
    names = [item.name for item in items]
    # one material an object, its parts a little brighter or darker
    albedo = np.array([rng.uniform(*ALBEDO[name]) for name in names])[owner] * rng.uniform(0.7, 1.1, len(parts))
    rough = np.array([ROUGH.get(name, noise) for name in names])[owner]

    distance, part, cosine = cast(parts, pose, elevations, azimuth)
    hit = part >= 0
    direction, part = rays(elevations, azimuth)[hit], part[hit]
    reported = measure(distance[hit], cosine[hit], albedo[part], rough[part], max_range, dropout, rng)
    distance, strength, seen = reported
    return dict(
        coord=(direction * distance[:, None])[seen].astype(np.float32),
        strength=strength[seen, None].astype(np.float32),
        item=owner[part[seen]],
    )


def _labels(items, item, min_points):
    """Segment and instance (N,) of points on `item` (N,); instances are numbered in the order of the items."""
    kind = np.array([CLASS_NAMES.index(i.name) for i in items])
    count = np.bincount(item, minlength=len(items))
    thing = np.isin(kind, THINGS)
    kept = thing & (count >= max(min_points, 1))
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    segment = np.where(thing & ~kept, -1, kind)
    return dict(segment=segment[item].astype(np.int32), instance=number[item].astype(np.int32))

"""Procedural furnished rooms with known instances: one scene from one seed, NumPy only."""

import numpy as np
from scipy.spatial import cKDTree

from pointins_ext.datasets.synthetic.room_furniture import MOST_PER_ROOM
from pointins_ext.datasets.synthetic.room_layout import furnish
from pointins_ext.datasets.synthetic.room_scan import (
    buried,
    camera_positions,
    paint,
    sample_pieces,
    sample_shell,
    visible,
)
from pointins_ext.errors import UserError

CLASS_NAMES = ("floor", "wall", "chair", "table", "cabinet", "sofa", "lamp", "bin")
STUFF = (0, 1)
ORIGIN = 0.02  # meters; floor and walls in the middle of a 4 cm voxel, else noise spreads them over two layers
OVERSAMPLING = 2  # occlusion is decided on a denser cloud, so that the nearest surface has no holes


def generate_room(
    seed,
    name=None,
    room_side=(2.6, 3.4),
    wall_height=(1.0, 1.4),
    num_objects=(6, 9),
    stick_ratio=0.65,
    stack_ratio=0.35,
    density=2600.0,
    noise=0.003,
    num_cameras=3,
    min_points=100,
):
    """Generates one scanned room; equal arguments give equal arrays.

    seed: int or numpy SeedSequence. Ranges are (low, high) in meters, `num_objects` inclusive. stick_ratio: share of
    placements tried in contact with an earlier piece (about half of all pieces succeed). stack_ratio: share of small
    pieces put on a table or cabinet. density: points a square meter of visible surface. noise: standard deviation of
    the scan noise in meters. min_points: objects seen by fewer points are left out of the scan.
    Returns a scene: coord (N, 3) in meters, z up, walls at x = y = ORIGIN; color (N, 3) 0..255; normal (N, 3); segment
    (N,) index into CLASS_NAMES; instance (N,) 0..G-1, -1 on floor and walls; name; split. ValueError for a range of
    objects that no room can hold.
    """
    most = sum(MOST_PER_ROOM.values())
    if not 1 <= num_objects[0] <= num_objects[1] <= most:
        raise UserError(f"num_objects is {tuple(num_objects)}: expected 1 <= low <= high <= {most}")
    rng = np.random.default_rng(seed)
    side, height = rng.uniform(*room_side, 2), rng.uniform(*wall_height)
    pieces = furnish(rng, side, rng.integers(num_objects[0], num_objects[1] + 1), stick_ratio, stack_ratio)
    scene = _scan(pieces, side, height, density, num_cameras, rng)
    scene = _without_small(scene, min_points)
    scene["coord"] = (scene["coord"] + ORIGIN + rng.normal(0.0, noise, scene["coord"].shape)).astype(np.float32)
    scene["name"] = name or f"room_{seed}"
    scene["split"] = "generated"
    return scene


def room_centers(scene):
    """True instance centers (G, 3) in meters: the mean of each instance's points, row g for instance g."""
    on_object = scene["instance"] >= 0
    instance = scene["instance"][on_object]
    count = np.bincount(instance)
    columns = [np.bincount(instance, weights=axis) for axis in scene["coord"][on_object].T]
    return (np.stack(columns, axis=1) / count[:, None]).astype(np.float32)


def touching(scene, gap=0.04):
    """(G,) bool: instances that have a point within `gap` meters of a point of another instance."""
    on_object = scene["instance"] >= 0
    coord, instance = scene["coord"][on_object], scene["instance"][on_object]
    result = np.zeros(instance.max(initial=-1) + 1, dtype=bool)
    pairs = cKDTree(coord).query_pairs(gap, output_type="ndarray")
    pairs = instance[pairs]
    result[pairs[pairs[:, 0] != pairs[:, 1]]] = True
    return result


def _scan(pieces, side, height, density, num_cameras, rng):
    shell, shell_normal, is_wall = sample_shell(side, height, density * OVERSAMPLING, rng)
    solid_coord, solid_normal, piece, part = sample_pieces(pieces, density * OVERSAMPLING, rng)
    coord, normal = np.concatenate([shell, solid_coord]), np.concatenate([shell_normal, solid_normal])
    instance = np.concatenate([np.full(len(shell), -1), piece])
    part = np.concatenate([np.full(len(shell), -1), part])
    kind = np.array([CLASS_NAMES.index(p.kind) for p in pieces], dtype=np.int32)
    segment = np.concatenate([is_wall.astype(np.int32), kind[piece]])

    shade = np.append(rng.uniform(0.8, 1.1, part.max() + 1), 1.0)[part]
    surface = np.where(instance >= 0, instance + len(STUFF), segment)
    color = paint(normal, surface, len(pieces) + len(STUFF), shade, rng)

    free = ~buried(coord, part, pieces)
    coord, normal, color = coord[free], normal[free], color[free]
    segment, instance = segment[free], instance[free]
    seen = np.zeros(len(coord), dtype=bool)
    for camera in camera_positions(side, num_cameras, rng):
        seen |= visible(coord, normal, camera)
    keep = np.flatnonzero(seen & (rng.random(len(coord)) < 1.0 / OVERSAMPLING))
    return dict(
        coord=coord[keep],
        color=color[keep].astype(np.float32),
        normal=normal[keep].astype(np.float32),
        segment=segment[keep].astype(np.int32),
        instance=instance[keep].astype(np.int32),
    )


def _without_small(scene, min_points):
    """Drops the points of instances with fewer than `min_points` and numbers the others 0..G-1."""
    instance = scene["instance"]
    count = np.bincount(instance[instance >= 0])
    large = count >= min_points
    number = np.append(np.where(large, np.cumsum(large) - 1, -2), -1)[instance].astype(np.int32)
    scene = {key: value[number > -2] for key, value in scene.items()}
    scene["instance"] = number[number > -2]
    return scene

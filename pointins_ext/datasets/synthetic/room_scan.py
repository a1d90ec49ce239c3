"""How a synthetic room is scanned: visible surface from a few camera positions, colors, noise."""

import colorsys

import numpy as np

from pointins_ext.datasets.synthetic.room_shapes import bounds, inside, sample_surface

PIXEL = 0.013  # radians; about one pixel per sample at 2 m
SLACK = 0.02  # meters that a point may lie behind the nearest one of its pixel
LARGEST_SLACK = 0.12
SUN = np.array([0.45, 0.35, 0.82])


def sample_pieces(pieces, density, rng):
    """Samples all surfaces of the furniture.

    Returns coord (N, 3), normal (N, 3), piece (N,), part (N,): index of the piece and of the part within all parts.
    """
    coords, normals, piece, part = [], [], [], []
    for i, solid in enumerate(solid for p in pieces for solid in p.parts):
        coord, normal = sample_surface(solid, density, rng)
        coords.append(coord)
        normals.append(normal)
        part.append(np.full(len(coord), i))
    owner = np.repeat(np.arange(len(pieces)), [len(p.parts) for p in pieces])
    part = np.concatenate(part)
    piece = owner[part]
    return np.concatenate(coords), np.concatenate(normals), piece, part


def sample_shell(side, height, density, rng):
    """Samples the floor (z = 0) and the walls at x = 0 and y = 0; returns coord, normal and is_wall (N,)."""
    coords, normals = [], []
    for axis, lengths in ((2, (*side, 0.0)), (0, (0.0, side[1], height)), (1, (side[0], 0.0, height))):
        area = np.prod([length for a, length in enumerate(lengths) if a != axis])
        coords.append(rng.random((int(area * density), 3)) * lengths)
        normals.append(np.tile(np.eye(3)[axis], (len(coords[-1]), 1)))
    is_wall = np.repeat([False, True], [len(coords[0]), len(coords[1]) + len(coords[2])])
    return np.concatenate(coords), np.concatenate(normals), is_wall


def buried(coord, part, pieces, margin=0.004):
    """(N,) bool: points that lie in a solid other than their own, grown by `margin` meters.

    part (N,): index of a point's own solid within all parts of all pieces, -1 on floor and walls.
    """
    hidden = np.zeros(len(coord), dtype=bool)
    x, y, z = coord.T.copy()
    first = 0
    for piece in pieces:
        low, high = bounds(piece.parts)
        low, high = low - margin, high + margin
        near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]) & (z >= low[2]) & (z <= high[2])
        near = np.flatnonzero(near)
        local, own = coord[near], part[near]
        for i, solid in enumerate(piece.parts, start=first):
            hidden[near[inside(solid, local, margin) & (own != i)]] = True
        first += len(piece.parts)
    return hidden


def camera_positions(side, count, rng):
    """(count, 3) positions on an arc before the two open sides of the room, looking over its furniture."""
    azimuth = np.deg2rad(np.linspace(-5, 95, count) + rng.uniform(-12, 12, count))
    distance = rng.uniform(2.6, 3.2, count)
    ground = side / 2 + distance[:, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    return np.column_stack([ground, rng.uniform(1.4, 2.0, count)])


def visible(coord, normal, camera):
    """(N,) bool: points that face the camera (3,) and lie nearest in their pixel of a spherical z-buffer.

    The slack grows with the slant of the surface, so that the floor seen at a grazing angle does not hide itself.
    """
    ray = camera - coord
    distance = np.linalg.norm(ray, axis=1)
    facing = (ray * normal).sum(axis=1) / distance
    column = np.floor((np.arctan2(ray[:, 1], ray[:, 0]) + np.pi) / PIXEL).astype(np.int64)
    row = np.floor((np.arcsin(ray[:, 2] / distance) + np.pi / 2) / PIXEL).astype(np.int64)
    pixel = row * (int(2 * np.pi / PIXEL) + 1) + column
    nearest = np.full(pixel.max() + 1, np.inf)
    np.minimum.at(nearest, pixel, distance)
    slant = np.sqrt(np.clip(1.0 - facing**2, 0.0, 1.0)) / np.maximum(facing, 1e-3)
    slack = np.minimum(SLACK + 1.5 * PIXEL * distance * slant, LARGEST_SLACK)
    return (facing > 0.03) & (distance <= nearest[pixel] + slack)


def paint(normal, surface, num_surfaces, shade, rng):
    """Colors (N, 3) in 0..255: one random base color a surface, drawn without regard to its class.

    surface (N,): index of the object, wall or floor. shade (N,): factor of the part. Lambert light, 3 % noise a point.
    """
    hsv = rng.uniform((0.0, 0.1, 0.35), (1.0, 0.8, 0.95), (num_surfaces, 3))
    base = np.array([colorsys.hsv_to_rgb(*color) for color in hsv])
    light = 0.72 + 0.28 * np.clip(normal @ (SUN / np.linalg.norm(SUN)), 0.0, 1.0)
    color = base[surface] * (light * shade)[:, None] + rng.normal(0.0, 0.03, (len(normal), 3))
    return np.clip(color, 0.0, 1.0) * 255

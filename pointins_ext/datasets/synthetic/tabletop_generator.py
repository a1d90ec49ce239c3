"""Procedural table tops seen by a depth camera, with known instances: one scene from one seed, NumPy and SciPy only."""

import colorsys

import numpy as np

from pointins_ext.datasets.synthetic.depth_camera import look_at, measure, render, unproject
from pointins_ext.datasets.synthetic.room_shapes import Part, box
from pointins_ext.datasets.synthetic.tabletop_layout import Posed, spread
from pointins_ext.errors import UserError

CLASS_NAMES = ("surface", "object")
TABLE = 0.03  # meters of the board


def generate_tabletop(
    seed,
    name=None,
    num_objects=(2, 16),
    num_views=(1, 1),
    table_side=(0.7, 1.3),
    touch_ratio=0.3,
    stack_ratio=0.2,
    lean_ratio=0.12,
    reach=(0.5, 1.0),
    noise=1.0,
    min_points=60,
):
    """Generates one scan of a table top; equal arguments give equal arrays.

    seed: int or numpy SeedSequence. Ranges are (low, high), `num_objects` and `num_views` inclusive; table_side in
    meters. Ratios: shares of placements that touch another thing, stand on it, or lean against it. reach: points so
    far from the middle, in meters, are cut off. noise: factor on a structured-light camera's noise. min_points: things
    seen by fewer points are void (segment and instance -1).
    Returns a scene: coord (N, 3) in meters, z up, the table at z = 0; color (N, 3) 0..255; segment (N,) 0 on surfaces,
    1 on things; instance (N,) 0..G-1, -1 on surfaces; name; split. It has no normals, like what a camera gives.
    ValueError for ratios beyond 1.
    """
    if touch_ratio + stack_ratio + lean_ratio > 1:
        raise UserError(
            f"touch_ratio + stack_ratio + lean_ratio is {touch_ratio + stack_ratio + lean_ratio:g}: above 1"
        )
    rng = np.random.default_rng(seed)
    size = rng.uniform(*table_side, 2)
    number = rng.integers(num_objects[0], num_objects[1] + 1)
    things = spread(rng, size, number, touch_ratio, stack_ratio, lean_ratio)
    solids = _surroundings(size, rng) + [solid for thing in things for solid in thing.solids]
    first = len(solids) - sum(len(thing.solids) for thing in things)
    owner = np.append(np.full(first, -1), np.repeat(np.arange(len(things)), [len(thing.solids) for thing in things]))
    views = _views(rng, rng.integers(num_views[0], num_views[1] + 1))
    paint = _draw_paint(owner, rng)
    scans = [_capture(solids, owner, view, noise, paint, rng) for view in views]
    scene = {key: np.concatenate([scan[key] for scan in scans]) for key in scans[0]}
    near = np.linalg.norm(scene["coord"], axis=1) < rng.uniform(*reach)
    scene = {key: value[near] for key, value in scene.items()}
    scene.update(_labels(scene.pop("thing"), len(things), min_points))
    return dict(scene, name=name or f"tabletop_{seed}", split="generated")


def _surroundings(size, rng):
    """The table, the floor below it, and in one scene of four a wall behind it."""
    eye, origin = np.eye(3), np.zeros(3)
    board = box((0, 0, -TABLE / 2), (*size, TABLE))
    floor = Part("plane", np.array([0.0, 0.0, -rng.uniform(0.4, 0.8)]), np.zeros(3))
    solids = [Posed(board, eye, origin), Posed(floor, eye, origin)]
    if rng.random() < 0.25:
        wall = box((0, size[1] / 2 + rng.uniform(0.05, 0.3), 0.5), (4.0, 0.1, 3.0))
        solids.append(Posed(wall, eye, origin))
    return solids


def _views(rng, number):
    """Views of the table's middle from its open side, 25 to 70 degrees above it."""
    azimuth = -np.pi / 2 + rng.uniform(-0.9, 0.9) + np.linspace(-1.0, 1.0, number) * (number > 1)
    rise = np.radians(rng.uniform(25, 70, number))
    distance = rng.uniform(0.75, 1.4, number)
    target = np.append(rng.uniform(-0.08, 0.08, 2), 0.05)
    level = np.cos(rise) * distance
    places = np.stack([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(rise) * distance], axis=1)
    return [look_at(place + target, target) for place in places]


def _capture(solids, owner, view, noise, paint, rng):
    image = render(solids, view)
    depth = measure(image, rng, noise)
    seen = np.isfinite(depth)
    solid, coord = image.solid[seen], unproject(depth, view)
    color = paint(coord, solid) * (0.65 + 0.35 * image.cosine[seen, None])
    color += rng.normal(0.0, 0.03, (len(coord), 3))
    return dict(
        coord=coord.astype(np.float32),
        color=(np.clip(color, 0.0, 1.0) * 255).astype(np.float32),
        thing=owner[solid],
    )


def _draw_paint(owner, rng):
    """Function of points (N, 3) and their solids that gives colors (N, 3) in 0..1: one color a thing, its solids a
    little apart, stripes on half of the things.

    owner (S,): the thing that a solid is of, -1 for surfaces, which have a color each.
    """
    at = np.where(owner >= 0, owner, owner.max() + 1 + np.arange(len(owner)))
    number = at.max() + 1
    hsv = rng.uniform((0.0, 0.0, 0.25), (1.0, 0.9, 0.95), (number, 2, 3))
    base = np.array([[colorsys.hsv_to_rgb(*color) for color in pair] for pair in hsv])
    wave, phase = rng.standard_normal((number, 3)) * 40.0, rng.uniform(0, 2 * np.pi, number)
    striped, shade = rng.random(number) < 0.5, rng.uniform(0.8, 1.1, len(owner))

    def paint(coord, solid):
        thing = at[solid]
        stripe = striped[thing] & (np.sin((coord * wave[thing]).sum(axis=1) + phase[thing]) > 0)
        return base[thing, stripe.astype(int)] * shade[solid, None]

    return paint


def _labels(thing, number, min_points):
    """Segment and instance (N,) of points on `thing` (N,), -1 on surfaces; things of few points are void."""
    count = np.bincount(thing[thing >= 0], minlength=number)
    kept = count >= min_points
    instance = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)[thing].astype(np.int32)
    segment = np.where(thing < 0, 0, np.where(instance >= 0, 1, -1)).astype(np.int32)
    return dict(segment=segment, instance=instance)

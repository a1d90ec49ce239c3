"""Where things stand on a synthetic table: free, touching, stacked, or leaning against another one.

Things are let down on a map of heights, so that none goes through another; no physics is computed.
"""

from typing import NamedTuple

import numpy as np

from pointins_ext.datasets.synthetic.room_shapes import Part, rotation, sample_surface
from pointins_ext.datasets.synthetic.tabletop_objects import FLAT, LEANING, LYING, VARIANTS

CELL = 0.004  # meters of the map of heights
STEP = 0.004  # meters that a thing moves at once towards the one that it is to touch
DENSITY = 40_000.0  # samples a square meter: more than one a cell
ATTEMPTS = 12
REST = 0.006  # meters; what is lower lies on the table


class Posed(NamedTuple):
    """A solid in the scene: a `Part` of an object, whose frame has its axes, columns of turn (3, 3), and place (3,)."""

    part: Part
    turn: np.ndarray
    place: np.ndarray


class Thing(NamedTuple):
    """A placed object: its variant, its solids, and its middle (2,) on the table."""

    variant: object
    solids: list
    middle: np.ndarray


class HeightMap:
    """Heights of what stands on a table of `size` (2,) meters around the origin."""

    def __init__(self, size):
        self.half = np.asarray(size) / 2
        self.height = np.zeros(np.ceil(2 * self.half / CELL).astype(int))

    def holds(self, coord):
        """Whether all points (N, 3) are above the table."""
        return bool((np.abs(coord[:, :2]) < self.half - 0.02).all())

    def drop(self, coord):
        """How far above z = 0 points (N, 3) must be lifted to lie on what is there."""
        return float((self.height[self._cells(coord)] - coord[:, 2]).max())

    def add(self, coord):
        np.maximum.at(self.height, self._cells(coord), coord[:, 2])

    def _cells(self, coord):
        cell = ((coord[:, :2] + self.half) / CELL).astype(int)
        return tuple(np.clip(cell, 0, np.array(self.height.shape) - 1).T)


def spread(rng, size, num_objects, touch_ratio, stack_ratio, lean_ratio):
    """Things on a table of `size` (2,) meters around the origin, its top at z = 0.

    Ratios: shares of the placements that touch another thing, stand on it, or lean against it; the others are free.
    Returns a list of `Thing`, as long as `num_objects` unless the table is full.
    """
    heights, things = HeightMap(size), []
    for _ in range(num_objects):
        manner = rng.choice(4, p=[touch_ratio, stack_ratio, lean_ratio, 1 - touch_ratio - stack_ratio - lean_ratio])
        for attempt in range(ATTEMPTS):
            free = attempt > ATTEMPTS // 2 or not things
            placed = _PLACE[3 if free else manner](rng, heights, things)
            if placed is not None:
                thing, coord = placed
                heights.add(coord)
                things.append(thing)
                break
    return things


def surface_points(solids, rng, density=DENSITY):
    """Points (N, 3) on the surfaces of solids, in the frame of the scene."""
    return np.concatenate([_sample(s.part, density, rng) @ s.turn.T + s.place for s in solids])


def _sample(part, density, rng):
    if part.kind == "spheroid":
        ball = part._replace(kind="sphere", center=np.zeros(3), size=np.full(3, part.size.max()))
        return sample_surface(ball, density, rng)[0] * part.size / part.size.max() + part.center
    return sample_surface(part._replace(kind="frustum") if part.kind == "cup" else part, density, rng)[0]


def _turn(yaw, tilt=0.0):
    """(3, 3): tilted by radians about the object's y axis, the top towards +x, then turned about z."""
    turn, lean = np.eye(3), np.eye(3)
    turn[:2, :2] = rotation(yaw)
    lean[np.ix_((2, 0), (2, 0))] = rotation(tilt)
    return turn @ lean


def _posed(variant, turn, rng):
    solids = [Posed(part, turn, np.zeros(3)) for part in variant(rng)]
    return solids, surface_points(solids, rng)


def _at(variant, solids, coord, shift):
    """The thing moved by shift (3,), and its points."""
    moved = [solid._replace(place=solid.place + shift) for solid in solids]
    coord = coord + shift
    return Thing(variant, moved, (coord[:, :2].min(axis=0) + coord[:, :2].max(axis=0)) / 2), coord


def _any_pose(rng):
    variant = VARIANTS[rng.integers(len(VARIANTS))]
    lying = variant in LYING and rng.random() < 0.4
    turn = _turn(rng.uniform(0, 2 * np.pi), np.pi / 2 if lying else 0.0)
    if lying and rng.random() < 0.5:  # on the narrow side
        turn = turn @ _turn(np.pi / 2)
    return variant, *_posed(variant, turn, rng)


def _free(rng, heights, things):
    variant, solids, coord = _any_pose(rng)
    shift = np.append(rng.normal(0.0, 0.45 * heights.half), -coord[:, 2].min())  # denser in the middle
    if not heights.holds(coord + shift) or heights.drop(coord + shift) > REST:
        return None
    return _at(variant, solids, coord, shift)


def _touch(rng, heights, things):
    variant, solids, coord = _any_pose(rng)
    return _slide(rng, heights, things, variant, solids, coord, rng.uniform(0, 2 * np.pi))


def _lean(rng, heights, things):
    variant, yaw = LEANING[rng.integers(len(LEANING))], rng.uniform(0, 2 * np.pi)
    solids = variant(rng)
    size = np.ptp(surface_points([Posed(p, np.eye(3), np.zeros(3)) for p in solids], rng), axis=0)
    # what is flat is put on its edge first, its broad side towards the other thing
    edge = _turn(0.0, np.pi / 2) if size[2] < size[:2].min() else np.eye(3)
    turn = _turn(yaw, rng.uniform(0.15, 0.6)) @ edge
    solids = [Posed(part, turn, np.zeros(3)) for part in solids]
    return _slide(rng, heights, things, variant, solids, surface_points(solids, rng), yaw)


def _slide(rng, heights, things, variant, solids, coord, yaw):
    """Moves along yaw towards one of the things until the next step would go into it."""
    goal = things[rng.integers(len(things))].middle + rng.normal(0.0, 0.01, 2)
    direction = np.array([np.cos(yaw), np.sin(yaw)])
    level, last = -coord[:, 2].min(), None
    for distance in np.arange(0.45, 0.0, -STEP):
        shift = np.append(goal - distance * direction, level)
        if heights.drop(coord + shift) > REST:
            break
        last = shift
    if last is None or distance <= STEP or not heights.holds(coord + last):
        return None
    return _at(variant, solids, coord, last)


def _stack(rng, heights, things):
    supports = [thing for thing in things if thing.variant in FLAT]
    if not supports:
        return None
    variant, solids, coord = _any_pose(rng)
    spot = supports[rng.integers(len(supports))].middle + rng.normal(0.0, 0.015, 2)
    shift = np.append(spot, -coord[:, 2].min())
    level = heights.drop(coord + shift)
    middle = np.append(spot, 0.0)[None]
    # what lies under its middle must carry it
    if not heights.holds(coord + shift) or level < REST or heights.drop(middle) < level - REST:
        return None
    return _at(variant, solids, coord, shift + [0.0, 0.0, level])


_PLACE = (_touch, _stack, _lean, _free)

"""Where the furniture of a synthetic room stands: free, against a wall, touching another piece, or on top of one."""

from typing import NamedTuple

import numpy as np

from pointins_ext.datasets.synthetic.room_furniture import MOST_PER_ROOM, STACKABLE, SUPPORTS, VARIANTS, WALL_PIECES
from pointins_ext.datasets.synthetic.room_shapes import footprint, footprint_normals, moved, rotation

CLEARANCE = 0.06  # meters between pieces that are not meant to touch
WALL_MARGIN = 0.03
LARGEST_TUCK = 0.25  # how far a piece may reach under the one that it touches
ATTEMPTS = 40


class Piece(NamedTuple):
    """A placed object: its class name, shape function and parts in the room's frame."""

    kind: str
    variant: object
    parts: tuple


class Outline(NamedTuple):
    """Parts seen from above: corner (P, 12, 2), normal (P, 12, 2), bottom (P,) and top (P,) heights."""

    corner: np.ndarray
    normal: np.ndarray
    bottom: np.ndarray
    top: np.ndarray

    def shifted(self, step):
        return self._replace(corner=self.corner + step)


def outline(parts):
    """`Outline` of a list of parts."""
    return Outline(
        np.stack([footprint(p) for p in parts]),
        np.stack([footprint_normals(p) for p in parts]),
        np.array([p.bottom for p in parts]),
        np.array([p.top for p in parts]),
    )


def separation(fixed, other):
    """Separating axes of every pair of parts (separating axis theorem).

    Returns gap (A, B, 24), meters of free space along each axis (negative: overlap), and axis (A, B, 24, 2), pointing
    from the fixed part to the other one. A pair is disjoint where its largest gap is positive.
    """
    pairs = (len(fixed.corner), len(other.corner))
    axis = np.concatenate(
        [
            np.broadcast_to(fixed.normal[:, None], (*pairs, *fixed.normal.shape[1:])),
            np.broadcast_to(-other.normal[None], (*pairs, *other.normal.shape[1:])),
        ],
        axis=2,
    )
    near = np.einsum("abkc,bvc->abkv", axis, other.corner).min(axis=3)
    far = np.einsum("abkc,avc->abkv", axis, fixed.corner).max(axis=3)
    return near - far, axis


def apart(fixed, other, distance):
    """Whether no two footprints come closer than `distance` meters, whatever their heights."""
    return bool(separation(fixed, other)[0].max(axis=2).min() >= distance)


def slide(fixed, other, direction, distance):
    """How far to move `other` along `direction` until it stands `distance` before `fixed`, approached from outside.

    Returns (contact, shadow): the travel at which parts of a common height meet, -inf where they never do, and the
    travel at which the footprints meet whatever their heights.
    """
    gap, axis = separation(fixed, other)
    speed = axis @ direction
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (distance - gap) / speed
    leave = np.where(speed > 1e-9, crossing, np.inf).min(axis=2)
    enter = np.where(speed < -1e-9, crossing, -np.inf).max(axis=2)
    never = (leave <= enter) | ((np.abs(speed) <= 1e-9) & (gap >= distance)).any(axis=2)
    travel = np.where(never, -np.inf, leave)
    common = (fixed.bottom[:, None] < other.top) & (other.bottom < fixed.top[:, None])
    return np.where(common, travel, -np.inf).max(), travel.max()


def furnish(rng, side, num_objects, stick_ratio, stack_ratio):
    """Places furniture without interpenetration.

    side (2,): room lengths in meters, walls at x = 0 and y = 0. num_objects: pieces wanted. stick_ratio: share of
    placements that touch an earlier piece. stack_ratio: share of small pieces put on a table or cabinet.
    Returns a list of `Piece`, as long as `num_objects` unless the room is full.
    """
    pieces, outlines = [], []
    for variant in _draw_variants(rng, num_objects):
        parts = _place(rng, variant, pieces, outlines, side, stick_ratio, stack_ratio)
        if parts is not None:
            pieces.append(Piece(_kind(variant), variant, tuple(parts)))
            outlines.append(outline(parts))
    return pieces


def _kind(variant):
    return variant.__name__.partition("_")[0]


def _draw_variants(rng, count):
    pool = [kind for kind, most in MOST_PER_ROOM.items() for _ in range(most)]
    kinds = [pool[i] for i in rng.permutation(len(pool))[:count]]
    # Large pieces first: they need the space, and the small ones need something to stand by.
    order = ("sofa", "table", "cabinet", "chair", "lamp", "bin")
    return [VARIANTS[kind][rng.integers(len(VARIANTS[kind]))] for kind in sorted(kinds, key=order.index)]


def _place(rng, variant, pieces, outlines, side, stick_ratio, stack_ratio):
    supports = [i for i, piece in enumerate(pieces) if piece.variant in SUPPORTS]
    # A placement that the room has no space for falls back to the next freer one.
    stack = variant in STACKABLE and supports and rng.random() < stack_ratio
    stick = pieces and rng.random() < stick_ratio
    wall = variant in WALL_PIECES and rng.random() < 0.5
    for attempt in range(3 * ATTEMPTS):
        parts = variant(rng)
        if stack and attempt < ATTEMPTS:
            placed = _stack(rng, parts, rng.choice(supports), pieces, outlines)
        elif stick and attempt < ATTEMPTS:
            placed = _stick(rng, parts, rng.integers(len(pieces)), pieces, outlines, side)
        elif wall and attempt < 2 * ATTEMPTS:
            placed = _against_wall(rng, parts, outlines, side)
        else:
            placed = _anywhere(rng, parts, outlines, side)
        if placed is not None:
            return placed
    return None


def _stack(rng, parts, support, pieces, outlines):
    board = max(pieces[support].parts, key=lambda p: p.top)
    reach = np.abs(outline(parts).corner).max()
    spare = np.maximum(board.size[:2] / 2 - reach, 0.0) * (1.0 if board.kind == "box" else np.sqrt(0.5))
    spot = rotation(board.yaw) @ (rng.uniform(-1, 1, 2) * spare) + board.center[:2]
    turn = rng.uniform(0, 2 * np.pi)
    placed = [moved(p, turn, np.array([*spot, board.top])) for p in parts]
    others = outlines[:support] + outlines[support + 1 :]
    return placed if all(apart(o, outline(placed), CLEARANCE) for o in others) else None


def _stick(rng, parts, anchor, pieces, outlines, side):
    fixed = outlines[anchor]
    facing = pieces[anchor].parts[0].yaw + rng.integers(4) * np.pi / 2
    turn = facing + (rng.integers(4) * np.pi / 2 if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi))
    direction = rotation(facing) @ np.array([0.0, 1.0])
    low, high = fixed.corner.min(axis=(0, 1)), fixed.corner.max(axis=(0, 1))
    across = np.array([-direction[1], direction[0]]) * rng.uniform(-0.5, 0.5) * (high - low).min()
    start = np.array([*((low + high) / 2 + across), 0.0])
    placed = [moved(p, turn, start) for p in parts]
    contact, shadow = slide(fixed, outline(placed), direction, rng.uniform(0.0, 0.03))
    if contact < shadow - LARGEST_TUCK:
        return None
    placed = [moved(p, 0.0, np.array([*(direction * contact), 0.0])) for p in placed]
    return _checked(placed, outlines[:anchor] + outlines[anchor + 1 :], side)


def _against_wall(rng, parts, outlines, side):
    wall = rng.integers(2)
    parts = [moved(p, -np.pi / 2 * wall, np.zeros(3)) for p in parts]
    low = outline(parts).corner.min(axis=(0, 1))
    spot = rng.uniform(0, side)
    spot[1 - wall] = rng.uniform(WALL_MARGIN, 0.08) - low[1 - wall]
    return _checked([moved(p, 0.0, np.array([*spot, 0.0])) for p in parts], outlines, side)


def _anywhere(rng, parts, outlines, side):
    turn, spot = rng.uniform(0, 2 * np.pi), rng.uniform(0, side)
    return _checked([moved(p, turn, np.array([*spot, 0.0])) for p in parts], outlines, side)


def _checked(placed, others, side):
    shape = outline(placed)
    in_room = (shape.corner >= WALL_MARGIN - 1e-9).all() and (shape.corner <= side - WALL_MARGIN).all()
    return placed if in_room and all(apart(o, shape, CLEARANCE) for o in others) else None

"""Where pieces stand: apart or touching, never inside each other, within the room."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic import room_layout, room_shapes
from pointins_ext.datasets.synthetic.room_shapes import inside


@pytest.fixture(scope="module")
def layouts():
    rngs = [np.random.default_rng(seed) for seed in range(8)]
    return [room_layout.furnish(rng, np.array([3.0, 2.8]), 8, stick_ratio=0.65, stack_ratio=0.35) for rng in rngs]


def penetration(first, second):
    """Depth in meters (0 or more) to which surface samples of one piece reach into the solids of another."""
    rng = np.random.default_rng(0)
    samples = np.concatenate([room_shapes.sample_surface(part, 800, rng)[0] for part in first.parts])
    low, high = room_shapes.bounds(second.parts)
    samples = samples[((samples > low) & (samples < high)).all(axis=1)]
    depths = [m for m in np.arange(0.0, 0.05, 0.005) if any(inside(p, samples, -m).any() for p in second.parts)]
    return max(depths, default=-0.005) + 0.005


def test_pieces_do_not_interpenetrate(layouts):
    deepest = 0.0
    for pieces in layouts:
        assert len(pieces) >= 6
        for first in pieces:
            for second in pieces:
                if first is not second:
                    deepest = max(deepest, penetration(first, second))
    assert deepest <= 0.005


def test_penetration_is_seen_when_two_pieces_overlap(layouts):
    piece = layouts[0][0]
    pushed = piece._replace(parts=tuple(room_shapes.moved(p, 0.0, np.array([0.1, 0.1, 0.0])) for p in piece.parts))
    assert penetration(piece, pushed) > 0.02


def test_pieces_stay_in_the_room(layouts):
    for pieces in layouts:
        low, high = zip(*(room_shapes.bounds(piece.parts) for piece in pieces), strict=True)
        assert np.min(low) >= 0 and np.max(high, axis=0)[0] <= 3.0 and np.max(high, axis=0)[1] <= 2.8


def test_slide_ends_at_the_wanted_distance():
    fixed = room_layout.outline([room_shapes.box((0, 0, 0.5), (1, 1, 1))])
    low = room_layout.outline([room_shapes.box((0, 0.1, 0.1), (0.2, 0.2, 0.2), yaw=0.4)])
    contact, shadow = room_layout.slide(fixed, low, np.array([1.0, 0.0]), 0.02)
    assert contact == shadow
    assert room_layout.separation(fixed, low.shifted((contact, 0)))[0].max() == pytest.approx(0.02)
    above = low._replace(bottom=low.bottom + 2, top=low.top + 2)
    assert room_layout.slide(fixed, above, np.array([1.0, 0.0]), 0.02)[0] == -np.inf

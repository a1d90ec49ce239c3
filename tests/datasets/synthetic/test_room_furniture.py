"""Furniture: three variants a class, on the floor, made of parts that show."""

import numpy as np
import pytest

from pointins_ext.datasets.rooms import CLASS_NAMES
from pointins_ext.datasets.synthetic import room_furniture, room_layout, room_scan


def test_every_class_has_three_variants_that_stand_on_the_floor():
    assert set(room_furniture.VARIANTS) == set(CLASS_NAMES) - {"floor", "wall"}
    for kind, variants in room_furniture.VARIANTS.items():
        assert len(variants) == 3 and all(v.__name__.startswith(kind) for v in variants)
        for variant in variants:
            parts = variant(np.random.default_rng(0))
            assert min(part.bottom for part in parts) == pytest.approx(0.0, abs=1e-9), variant.__name__


def test_parts_of_a_piece_do_not_swallow_its_highest_face():
    """Two coplanar faces of overlapping parts would each count as buried in the other part."""
    rng = np.random.default_rng(0)
    for variant in (v for variants in room_furniture.VARIANTS.values() for v in variants):
        piece = room_layout.Piece("any", variant, tuple(variant(rng)))
        coord, _, _, part = room_scan.sample_pieces([piece], 4000.0, rng)
        free = ~room_scan.buried(coord, part, [piece])
        highest = coord[:, 2] > max(p.top for p in piece.parts) - 1e-6
        assert free[highest].sum() >= 0.9 * highest.sum(), variant.__name__

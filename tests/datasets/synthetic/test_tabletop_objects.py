"""Things of a table: they stand on it, have a hand's size, and are drawn anew every time."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic.tabletop_layout import Posed, surface_points
from pointins_ext.datasets.synthetic.tabletop_objects import FLAT, LEANING, LYING, VARIANTS

ALL = sorted(set(VARIANTS), key=lambda variant: variant.__name__)


def points(parts, rng):
    return surface_points([Posed(part, np.eye(3), np.zeros(3)) for part in parts], rng)


@pytest.mark.parametrize("variant", ALL, ids=lambda variant: variant.__name__)
def test_a_thing_stands_on_its_ground_and_fits_a_hand(variant):
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(20):
        coord = points(variant(rng), rng)
        low, size = coord[:, 2].min(), np.ptp(coord, axis=0)
        assert -0.03 < low < 0.01  # a bag sinks in a little
        assert 0.01 < size.min() and size.max() < 0.5
        assert np.abs(coord[:, :2]).max() < 0.35
        sizes.append(size)
    assert np.std(sizes, axis=0).min() > 0


def test_poses_are_for_things_that_there_are():
    assert {*LYING, *LEANING, *FLAT} <= set(VARIANTS)

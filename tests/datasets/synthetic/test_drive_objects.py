"""What stands in a street: sizes of the real things, on the ground, around its own axis."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic.drive_objects import VARIANTS, cylinder, wheels
from pointins_ext.datasets.synthetic.room_shapes import bounds

MADE = [(kind, make) for kind, variants in VARIANTS.items() for make in dict.fromkeys(variants)]
# meters, lowest and highest: longest side seen from above, and height
SIZES = dict(
    car=((3.5, 5.3), (1.3, 2.2)),
    truck=((5, 13), (2, 4.5)),
    person=((0.2, 1.2), (0.9, 2.1)),
    rider=((1.4, 2.6), (1.4, 2.2)),
    parked_cycle=((1.4, 2.6), (0.7, 1.5)),
)


@pytest.mark.parametrize("kind, make", MADE, ids=[make.__name__ for _, make in MADE])
def test_objects_have_the_size_of_real_ones_and_differ_from_draw_to_draw(kind, make):
    sizes = []
    for seed in range(20):
        low, high = bounds(make(np.random.default_rng(seed)))
        assert low[2] <= 0.35 and np.isfinite([low, high]).all() and (high > low).all()
        sizes.append(high - low)
        if kind in SIZES:
            (short, long), (flat, tall) = SIZES[kind]
            assert short <= max(sizes[-1][:2]) <= long and flat <= high[2] <= tall
    assert len(np.unique(np.round(sizes, 6), axis=0)) > 15


def test_equal_seeds_make_equal_objects():
    for _, make in MADE:
        first, again = (make(np.random.default_rng(3)) for _ in "ab")
        np.testing.assert_array_equal(bounds(first), bounds(again))


def test_wheels_stand_on_the_ground_below_both_sides():
    low, high = bounds(wheels((-1.0, 1.0), width=1.8, diameter=0.6, thick=0.2))
    np.testing.assert_allclose([low, high], [[-1.3, -0.9, 0], [1.3, 0.9, 0.3]])
    assert len(wheels((-1.0, 1.0), 1.8, 0.6, 0.2)) == 4


def test_a_cylinder_reaches_from_bottom_to_top():
    part = cylinder(0.5, 1.0, 3.0, x=2.0)
    assert part.bottom == 1.0 and part.top == 3.0 and part.center.tolist() == [2.0, 0.0, 2.0]

"""Things on a table: above it, in no other thing, in contact where they are to be."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pointins_ext.datasets.synthetic.room_shapes import inside
from pointins_ext.datasets.synthetic.tabletop_layout import HeightMap, spread, surface_points

SIZE = np.array([1.0, 0.8])
RATIOS = dict(touch_ratio=0.3, stack_ratio=0.2, lean_ratio=0.15)


def points(thing, density=40_000.0):
    return surface_points(thing.solids, np.random.default_rng(0), density)


def in_solid(solid, coord, margin):
    local = (coord - solid.place) @ solid.turn
    part = solid.part
    if part.kind == "spheroid":
        return (((local - part.center) / (part.size / 2 + margin)) ** 2).sum(axis=1) <= 1
    return inside(part._replace(kind="frustum") if part.kind == "cup" else part, local, margin)


@pytest.mark.parametrize("seed", range(4))
def test_things_are_on_the_table_and_in_no_other_thing(seed):
    things = spread(np.random.default_rng(seed), SIZE, 14, **RATIOS)
    assert 6 <= len(things) <= 14
    for thing in things:
        coord = points(thing)
        assert coord[:, 2].min() > -0.002  # its lowest sample is put on the table
        assert (np.abs(coord[:, :2]) < SIZE / 2).all()
        for other in things:
            if other is not thing:
                deep = np.any([in_solid(solid, coord, -0.008) for solid in other.solids], axis=0)
                assert deep.mean() < 0.01


def test_all_ways_to_stand_occur():
    only = dict(touch_ratio=0.0, stack_ratio=0.0, lean_ratio=0.0)
    contact = {}
    for name in ("touch_ratio", "stack_ratio", "lean_ratio"):
        gaps, lifted = [], []
        for seed in range(3):
            things = spread(np.random.default_rng(seed), SIZE, 6, **{**only, name: 1.0})
            clouds = [points(thing, 10_000.0) for thing in things]
            for i, cloud in enumerate(clouds[1:], start=1):
                gaps.append(min(cKDTree(other).query(cloud)[0].min() for other in clouds[:i]))
                lifted.append(cloud[:, 2].min() > 0.01)
        contact[name] = np.mean(np.array(gaps) < 0.012), np.mean(lifted)
    assert contact["touch_ratio"][0] > 0.5 and contact["touch_ratio"][1] == 0
    assert contact["lean_ratio"][0] > 0.5 and contact["lean_ratio"][1] == 0
    assert contact["stack_ratio"][1] > 0.3
    free = spread(np.random.default_rng(0), SIZE, 6, **only)
    clouds = [points(thing) for thing in free]
    assert min(cKDTree(a).query(b)[0].min() for i, a in enumerate(clouds) for b in clouds[:i]) > 0.002


def test_what_is_let_down_lies_on_what_is_there():
    heights = HeightMap(np.array([1.0, 1.0]))
    low = np.array([[0.0, 0.0, 0.1], [0.1, 0.0, 0.3]])
    heights.add(low)
    thing = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.1]])
    assert heights.drop(thing) == pytest.approx(0.2)
    assert heights.drop(thing + [0.3, 0.3, 0.0]) == pytest.approx(0.0)
    assert heights.holds(thing) and not heights.holds(thing + [0.45, 0, 0])


def test_equal_seeds_give_equal_tables():
    one, two = (spread(np.random.default_rng(5), SIZE, 8, **RATIOS) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert a.variant is b.variant
        np.testing.assert_array_equal(points(a, 1000.0), points(b, 1000.0))

"""A table top: repeatable, seen from its views alone, with labels that agree."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic.tabletop_generator import generate_tabletop

ARRAYS = ("coord", "color", "segment", "instance")


@pytest.fixture(scope="module")
def tables():
    return [generate_tabletop(seed, num_objects=(4, 10)) for seed in range(4)]


def test_same_seed_gives_the_same_table(tables):
    again = generate_tabletop(2, num_objects=(4, 10))
    for key in ARRAYS:
        np.testing.assert_array_equal(again[key], tables[2][key])
    assert again["name"] == "tabletop_2" and len({len(scene["coord"]) for scene in tables}) == 4


def test_types_ranges_and_the_table(tables):
    for scene in tables:
        assert {key: scene[key].dtype for key in ARRAYS} == dict(coord="f4", color="f4", segment="i4", instance="i4")
        assert 0 <= scene["color"].min() and scene["color"].max() <= 255
        assert np.linalg.norm(scene["coord"], axis=1).max() < 1.0
        assert 15_000 < len(scene["coord"]) < 77_000
        board = scene["coord"][(scene["segment"] == 0) & (np.abs(scene["coord"][:, 2]) < 0.05)]
        assert abs(np.median(board[:, 2])) < 0.002
        assert np.median(scene["coord"][scene["segment"] == 1][:, 2]) > 0.01


def test_labels_agree(tables):
    for scene in tables:
        np.testing.assert_array_equal(scene["instance"] >= 0, scene["segment"] == 1)
        count = np.bincount(scene["instance"][scene["instance"] >= 0])
        assert 2 <= len(count) <= 10 and count.min() >= 60


def test_things_of_few_points_are_void(tables):
    strict = generate_tabletop(0, num_objects=(4, 10), min_points=1500)
    np.testing.assert_array_equal(strict["coord"], tables[0]["coord"])
    void = (strict["segment"] == -1) & (tables[0]["segment"] == 1)
    assert void.any() and (strict["instance"][void] == -1).all()


def test_more_views_see_more_sides():
    one, three = (generate_tabletop(7, num_objects=(8, 8), num_views=(n, n), noise=0.0) for n in (1, 3))
    assert len(three["coord"]) > 2 * len(one["coord"])


def test_ratios_beyond_1_are_refused():
    with pytest.raises(ValueError, match=r"touch_ratio \+ stack_ratio \+ lean_ratio is 1.5: above 1"):
        generate_tabletop(0, touch_ratio=1.0, stack_ratio=0.5, lean_ratio=0.0)

"""The depth camera: exact without noise, shadows on one side, noise that grows with the distance."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic.depth_camera import SIZE, Image, look_at, measure, render, unproject
from pointins_ext.datasets.synthetic.room_shapes import Part, box
from pointins_ext.datasets.synthetic.tabletop_layout import Posed

EYE, ORIGIN = np.eye(3), np.zeros(3)
FLOOR = Posed(Part("plane", ORIGIN, ORIGIN), EYE, ORIGIN)


def wall(depth):
    """An image of a wall that all pixels face."""
    return Image(np.full(SIZE, depth), np.zeros(SIZE, int), np.ones(SIZE))


def test_what_is_hit_lies_on_the_solids_whatever_their_pose():
    turn = look_at(np.array([0.3, -0.8, 0.5]), ORIGIN).turn  # any rotation
    solid = Posed(box((0, 0, 0), (0.3, 0.2, 0.4)), turn, np.array([0.05, 0.0, 0.4]))
    view = look_at(np.array([0.9, -1.1, 1.2]), np.array([0.0, 0.0, 0.2]))
    image = render([FLOOR, solid], view)
    coord = unproject(np.where(np.isfinite(image.depth), image.depth, np.nan), view)
    at = image.solid[np.isfinite(image.depth)]
    assert np.abs(coord[at == 0][:, 2]).max() < 1e-9
    local = np.abs((coord[at == 1] - solid.place) @ turn) - solid.part.size / 2
    assert len(local) > 500 and np.abs(local.max(axis=1)).max() < 1e-9
    np.testing.assert_allclose(np.linalg.det(view.turn), 1.0)
    ray = coord - view.place
    facing = np.abs(ray[at == 0] @ [0, 0, 1]) / np.linalg.norm(ray[at == 0], axis=1)
    np.testing.assert_allclose(image.cosine[np.isfinite(image.depth)][at == 0], facing)


def test_the_nearer_solid_hides_the_other():
    view = look_at(np.array([0.0, -2.0, 0.0]), ORIGIN)
    far, near = (Posed(box((0, y, 0), (size, 0.1, size)), EYE, ORIGIN) for y, size in ((1.0, 1.0), (0.0, 0.2)))
    for solids, front in (([far, near], 1), ([near, far], 0)):
        image = render(solids, view)
        middle = tuple(n // 2 for n in SIZE)
        assert image.solid[middle] == front and image.depth[middle] == pytest.approx(1.95)
        assert image.depth[image.solid == 1 - front].min() == pytest.approx(2.95)


def test_noise_grows_with_the_distance():
    spread = [np.nanstd(measure(wall(depth), np.random.default_rng(0))) for depth in (0.5, 1.5, 3.0)]
    assert spread[0] < 0.0015 and 0.002 < spread[1] < 0.005 and 0.008 < spread[2] < 0.02


def test_without_noise_a_wall_is_a_wall():
    depth = measure(wall(1.0), np.random.default_rng(0), noise=0.0)
    assert np.nanmax(np.abs(depth - 1.0)) == 0 and 0.97 < np.isfinite(depth).mean() < 1


def test_a_thing_throws_its_shadow_to_the_left_and_ends_in_flying_pixels():
    image = wall(1.5)
    image.depth[100:140, 140:180] = 0.8
    depth = measure(image, np.random.default_rng(0), noise=0.0)
    rows = depth[100:140]
    dark = np.isnan(rows).mean(axis=0) > 0.5
    assert dark[:140].sum() > 5 and dark[181:].sum() == 0 and not dark[:100].any()
    between = (depth > 0.81) & (depth < 1.49)
    assert between.any() and set(np.nonzero(between)[1]) <= {140, 180}


def test_grazing_surfaces_and_nothing_are_lost():
    image = wall(1.0)
    image.cosine[:120] = 0.01
    image.depth[200:] = np.inf
    depth = measure(image, np.random.default_rng(0))
    assert np.isnan(depth[:120]).all() and np.isnan(depth[200:]).all() and np.isfinite(depth[130:190]).mean() > 0.97

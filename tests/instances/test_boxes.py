"""Boxes of sampled cuboids are those cuboids, wherever they stand, with strays beside them, and seen from one side."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.instances.boxes import SLACK, Boxes, oriented_boxes, strays, upright_box


def turned(point, yaw):
    cos, sin = np.cos(yaw), np.sin(yaw)
    return point @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def cuboids(seed, number=6, points=400):
    """Points on surfaces of cuboids side by side, shuffled with some of none: coord, instance, and the boxes."""
    rng = np.random.default_rng(seed)
    size = np.sort(rng.uniform(0.4, 2, (number, 3)), axis=1)[:, ::-1]
    size[:, 0] += 0.2  # length and width must not be mistaken
    yaw = rng.uniform(-np.pi / 2, np.pi / 2, number)
    center = np.column_stack([6 * np.arange(number), rng.uniform(-5, 5, (number, 2))])
    corner = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    clouds = []
    for i in range(number):
        point = rng.uniform(-0.5, 0.5, (points, 3))
        point[np.arange(points), rng.integers(0, 3, points)] = rng.choice([-0.5, 0.5], points)
        clouds.append(turned(np.concatenate([corner, point]) * size[i], yaw[i]) + center[i])
    instance = np.append(np.repeat(np.arange(number), points + 8), np.full(99, -1))
    coord = np.concatenate([*clouds, rng.uniform(-9, 9, (99, 3))])
    order = rng.permutation(len(coord))
    return coord[order], instance[order], Boxes(center, size, yaw)


def assert_same(boxes, expected, atol=1e-6, turn=0.0):
    np.testing.assert_allclose(boxes.center, expected.center, atol=atol)
    np.testing.assert_allclose(boxes.size, expected.size, atol=atol)
    turns = (boxes.yaw - expected.yaw - turn) / np.pi
    np.testing.assert_allclose(turns - np.round(turns), 0, atol=max(atol, 1e-9))


def scanned_car(rng, distance=12.0):
    """Two sides of a car that a scanner at the origin sees, in the order of its beams: points, yaw, size."""
    length, width, yaw = rng.uniform(3.8, 5), rng.uniform(1.6, 2), rng.uniform(0.2, 1.3)
    side, front = rng.uniform(-0.5, 0.5, (2, 300, 3))
    side[:, 1], front[:, 0] = -0.5, -0.5
    point = np.concatenate([side, front]) * [length, width, 1.5] + rng.normal(0, 0.01, (600, 3))
    return turned(point, yaw) + [distance, 0, 0], yaw, (length, width)


# -- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_sampled_cuboids_have_their_own_boxes(seed):
    coord, instance, expected = cuboids(seed)
    boxes = oriented_boxes(coord, instance)
    assert_same(boxes, expected)
    assert (boxes.size[:, 0] >= boxes.size[:, 1]).all() and (np.abs(boxes.yaw) <= np.pi / 2).all()
    single = oriented_boxes(coord.astype(np.float32), instance.astype(np.int32))
    assert_same(single, expected, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(yaw=st.floats(-7, 7), shift=st.tuples(*[st.floats(-1000, 1000)] * 3), seed=st.integers(0, 99))
def test_boxes_follow_a_turn_and_a_shift(yaw, shift, seed):
    coord, instance, _ = cuboids(seed, number=3, points=60)
    before, after = oriented_boxes(coord, instance), oriented_boxes(turned(coord, yaw) + shift, instance)
    moved = Boxes(turned(before.center, yaw) + shift, before.size, before.yaw)
    assert_same(after, moved, turn=yaw)


def test_the_order_of_points_and_other_instances_do_not_matter():
    coord, instance, _ = cuboids(0)
    boxes = oriented_boxes(coord, instance)
    order = np.random.default_rng(1).permutation(len(coord))
    assert_same(oriented_boxes(coord[order], instance[order]), boxes)
    for i in range(len(boxes)):
        alone = oriented_boxes(coord, np.where(instance == i, 0, -1))
        assert_same(alone, Boxes(boxes.center[[i]], boxes.size[[i]], boxes.yaw[[i]]))


def test_corners_are_around_all_points_and_touch_them():
    coord, instance, _ = cuboids(3)
    corner = oriented_boxes(coord, instance).corners()
    assert corner.shape == (6, 8, 3)
    for i, own in enumerate(corner):
        points = coord[instance == i]
        for a in range(8):  # each corner of these cuboids is a point
            assert np.linalg.norm(points - own[a], axis=1).min() < 1e-6
        np.testing.assert_allclose(own[:4, :2], own[4:, :2])
        assert (own[:4, 2] < own[4:, 2]).all()
        edge = np.roll(own[:4, :2], -1, axis=0) - own[:4, :2]
        assert (np.cross(np.c_[edge, 0 * edge[:, 0]], np.c_[np.roll(edge, -1, 0), 0 * edge[:, 0]])[:, 2] > 0).all()


@pytest.mark.parametrize("share, clump", [(0.005, 1), (0.02, 1), (0.02, 5), (0.04, 8)])
def test_strays_do_not_change_a_box(share, clump):
    coord, instance, expected = cuboids(7)
    rng = np.random.default_rng(0)
    number = int(share * 408) // clump
    spot = expected.center[:, None] + 4 * rng.choice([-1, 1], (6, max(number, 1), 3)) * rng.uniform(0.7, 1, (6, 1, 3))
    stray = (spot[:, :, None] + rng.uniform(-0.05, 0.05, (6, max(number, 1), clump, 3))).reshape(-1, 3)
    owner = np.repeat(np.arange(6), len(stray) // 6)
    together = np.concatenate([coord, stray]), np.concatenate([instance, owner])
    assert_same(oriented_boxes(*together), expected)
    order = np.argsort(together[1], kind="stable")[99:]
    mask = strays(together[0][order], together[1][order])
    np.testing.assert_array_equal(np.flatnonzero(mask), np.flatnonzero(order >= len(coord)))


def test_a_large_piece_apart_belongs_to_the_object():
    point = np.random.default_rng(0).uniform(0, 1, (1000, 3))
    point[:300, 0] += 3
    box = oriented_boxes(point, np.zeros(1000, int))
    assert box.size[0, 0] > 3.9


def test_of_two_scanned_sides_the_box_is_theirs_and_not_the_diagonal():
    rng = np.random.default_rng(0)
    turns, smallest = [], []
    for _ in range(30):
        point, yaw, size = scanned_car(rng)
        for slack, found in ((SLACK, turns), (1.0, smallest)):
            box = upright_box(point, slack)
            found.append(abs((box[6] - yaw + np.pi / 4) % (np.pi / 2) - np.pi / 4))
        box = oriented_boxes(point, np.zeros(len(point), int))
        np.testing.assert_allclose(box.size[0, :2], size, atol=0.12)
    assert max(turns) < 0.03 and np.mean(np.array(smallest) > 0.15) > 0.3


@settings(max_examples=50, deadline=None)
@given(
    yaw=st.floats(-7, 7),
    size=st.tuples(st.floats(0.3, 10), st.floats(0.3, 10), st.floats(0.1, 4)),
    place=st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(-5, 5)),
    seed=st.integers(0, 2**16),
)
def test_the_box_of_a_turned_cuboid_is_the_cuboid(yaw, size, place, seed):
    length, width = sorted(size[:2], reverse=True)
    corner = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    inside = np.random.default_rng(seed).uniform(-0.5, 0.5, (20, 3))
    cuboid = np.concatenate([corner, inside]) * [length, width, size[2]]
    box = upright_box((turned(cuboid, yaw) + place).astype(np.float32))
    np.testing.assert_allclose(box[:3], place, atol=1e-3)
    np.testing.assert_allclose(box[3:6], [length, width, size[2]], atol=1e-3)
    if length > width + 0.01:
        turn = (box[6] - yaw) / np.pi
        assert abs(turn - round(turn)) < 0.01
    assert -np.pi / 2 <= box[6] < np.pi / 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), number=st.integers(3, 40))
def test_no_rectangle_is_smaller(seed, number):
    point = np.random.default_rng(seed).normal(size=(number, 3)) * [3, 1, 1]
    box = upright_box(point)
    area = min(np.prod(np.ptp(turned(point, angle)[:, :2], axis=0)) for angle in np.linspace(0, np.pi / 2, 400))
    assert box[3] * box[4] <= area * (1 + 1e-9) and box[3] >= box[4]
    inside = turned(point - box[:3], -box[6])
    assert (np.abs(inside) <= box[3:6] / 2 + 1e-9).all()


@pytest.mark.parametrize(
    "point, expected",
    [
        ([[1, 2, 3]], [1, 2, 3, 0, 0, 0]),
        ([[0, 0, 0], [3, 4, 1]], [1.5, 2, 0.5, 5, 0, 1]),
        ([[0, 0, 0], [1, 1, 0], [2, 2, 2]], [1, 1, 1, 8**0.5, 0, 2]),
        ([[1, 1, 0], [1, 1, 2], [1, 1, 1]], [1, 1, 1, 0, 0, 2]),
    ],
)
def test_poles_and_flat_boards_have_boxes(point, expected):
    np.testing.assert_allclose(upright_box(np.array(point, np.float32))[:6], expected, atol=1e-6)


@pytest.mark.parametrize(
    "point, center, size",
    [
        ([[1, 2, 3]], [1, 2, 3], [0, 0, 0]),
        ([[1, 2, 3]] * 7, [1, 2, 3], [0, 0, 0]),
        ([[i, i, 0] for i in range(9)], [4, 4, 0], [8 * 2**0.5, 0, 0]),
        ([[0, 0, i] for i in range(9)], [0, 0, 4], [0, 0, 8]),
        ([[0, 0, 0]] * 50 + [[1, 0, 0]], [0.5, 0, 0], [1, 0, 0]),  # no spacing, so no stray
    ],
)
def test_a_point_a_line_and_copies_have_boxes(point, center, size):
    boxes = oriented_boxes(np.array(point, np.float64), np.zeros(len(point), int))
    np.testing.assert_allclose(boxes.center, [center], atol=1e-9)
    np.testing.assert_allclose(boxes.size, [size], atol=1e-9)
    assert np.isfinite(boxes.yaw).all()


def test_without_instances_there_are_no_boxes():
    for count in (0, 5):
        boxes = oriented_boxes(np.zeros((count, 3)), np.full(count, -1))
        assert len(boxes) == 0 and boxes.center.shape == boxes.size.shape == (0, 3)
        assert boxes.corners().shape == (0, 8, 3)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"instance 1 of 0\.\.2 has no point"):
        oriented_boxes(np.zeros((2, 3)), np.array([0, 2]))
    coord = np.full((3, 3), np.nan)
    with pytest.raises(ValueError, match="not finite"):
        oriented_boxes(coord, np.array([0, -1, 0]))
    assert len(oriented_boxes(coord, np.full(3, -1))) == 0


def test_thousands_of_instances_take_seconds():
    rng = np.random.default_rng(0)
    instance = rng.integers(0, 1000, 200_000)
    coord = rng.uniform(0, 1, (200_000, 3)) + np.column_stack([instance % 40, instance // 40, 0 * instance]) * 3
    start = time.process_time()
    assert len(oriented_boxes(coord, instance)) == 1000
    assert time.process_time() - start < 10  # 1 s on a laptop

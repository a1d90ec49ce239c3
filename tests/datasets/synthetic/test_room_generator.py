"""A room: repeatable, consistently labeled, with objects that touch and objects that stand free."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pointins_ext.datasets.rooms import CLASS_NAMES, STUFF, generate_room, room_centers, touching

VOXEL = 0.04


ARRAYS = ("coord", "color", "normal", "segment", "instance")


def voxels(scene):
    cell = np.floor(scene["coord"] / VOXEL).astype(np.int64) + 8
    return np.unique(cell @ (1 << 20, 1 << 10, 1), return_index=True)[1]


def test_same_seed_gives_the_same_room(rooms):
    again = generate_room(3)
    for key in ARRAYS:
        np.testing.assert_array_equal(again[key], rooms[3][key])
    assert again["name"] == rooms[3]["name"] == "room_3"


def test_other_seed_gives_another_room(rooms):
    sizes = {len(scene["coord"]) for scene in rooms}
    assert len(sizes) == len(rooms)


def test_types_and_ranges(rooms):
    for scene in rooms:
        count = len(scene["coord"])
        dtypes = {key: scene[key].dtype for key in ARRAYS}
        assert dtypes == dict(coord="f4", color="f4", normal="f4", segment="i4", instance="i4")
        assert all(len(scene[key]) == count for key in ARRAYS)
        assert scene["color"].min() >= 0 and scene["color"].max() <= 255
        np.testing.assert_allclose(np.linalg.norm(scene["normal"], axis=1), 1.0, atol=1e-5)
        assert scene["coord"].min() > -0.05 and scene["coord"][:, :2].max() < 3.5


def test_instance_is_none_exactly_on_floor_and_walls(rooms):
    for scene in rooms:
        np.testing.assert_array_equal(scene["instance"] == -1, np.isin(scene["segment"], STUFF))
        ids = np.unique(scene["instance"][scene["instance"] >= 0])
        np.testing.assert_array_equal(ids, np.arange(len(ids)))
        assert all(len(np.unique(scene["segment"][scene["instance"] == i])) == 1 for i in ids)


def test_floor_and_walls_are_planes(rooms):
    for scene in rooms:
        floor = scene["coord"][scene["segment"] == 0]
        walls = scene["coord"][scene["segment"] == 1]
        assert np.abs(floor[:, 2] - VOXEL / 2).max() < 0.02
        assert np.abs(walls[:, :2].min(axis=1) - VOXEL / 2).max() < 0.02


def test_size_of_the_cloud(rooms):
    raw = [len(scene["coord"]) for scene in rooms]
    fine = [len(voxels(scene)) for scene in rooms]
    stuff = [np.isin(scene["segment"][voxels(scene)], STUFF).mean() for scene in rooms]
    assert 30_000 < min(raw) and max(raw) < 65_000
    assert 10_000 < np.mean(fine) < 15_000
    assert 0.5 < np.mean(stuff) < 0.75


def test_objects(rooms):
    counts = [scene["instance"].max() + 1 for scene in rooms]
    assert min(counts) >= 5 and max(counts) <= 9
    smallest = [np.bincount(scene["instance"][scene["instance"] >= 0]).min() for scene in rooms]
    assert min(smallest) >= 100
    seen = set(np.concatenate([np.unique(scene["segment"]) for scene in rooms]))
    assert seen == set(range(len(CLASS_NAMES)))


def test_centers_lie_in_the_boxes_of_their_objects(rooms):
    for scene in rooms:
        for i, center in enumerate(room_centers(scene)):
            points = scene["coord"][scene["instance"] == i]
            np.testing.assert_allclose(center, points.mean(axis=0, dtype=np.float64), atol=1e-5)
            assert (center >= points.min(axis=0)).all() and (center <= points.max(axis=0)).all()


def test_touching_agrees_with_distances_between_all_pairs(rooms):
    scene = rooms[0]
    trees = [cKDTree(scene["coord"][scene["instance"] == i]) for i in range(scene["instance"].max() + 1)]
    near = [any(a is not b and a.count_neighbors(b, 0.04) for b in trees) for a in trees]
    np.testing.assert_array_equal(touching(scene), near)


def test_touching_and_free_objects_both_occur(rooms):
    share = np.concatenate([touching(scene) for scene in rooms]).mean()
    assert 0.45 < share < 0.9
    free = np.concatenate([touching(generate_room(seed, stick_ratio=0.0, stack_ratio=0.0)) for seed in range(2)])
    assert not free.any()


def test_touching_without_objects():
    scene = dict(coord=np.zeros((4, 3), np.float32), instance=np.full(4, -1, np.int32))
    assert touching(scene).shape == (0,) and room_centers(scene).shape == (0, 3)


def test_impossible_number_of_objects_is_refused():
    with pytest.raises(ValueError, match="num_objects"):
        generate_room(0, num_objects=(5, 40))

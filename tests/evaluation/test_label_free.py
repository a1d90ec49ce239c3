import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.label_free import (
    best_overlap,
    evaluate_label_free,
    object_rand_index,
    to_raw,
    touching_objects,
)
from pointins_ext.instances import cluster_offsets, components, drop_small, hdbscan_instances, kmeans_instances
from pointins_ext.ops import voxelize

# center (x, y, z of the middle) and side of the cubes of the test room; the first two are 2 cm apart
CUBES = [((0.84, 0.8, 0.15), 0.3), ((1.16, 0.8, 0.15), 0.3), ((2.0, 2.0, 0.175), 0.35)]


def room(seed=0):
    """A floor of 2.8 m and three cubes standing on it, about 20k raw points."""
    rng = np.random.default_rng(seed)
    coord, instance = [np.column_stack([rng.uniform(0, 2.8, (10000, 2)), np.full(10000, -0.01)])], [np.full(10000, -1)]
    for i, (center, side) in enumerate(CUBES):
        face = rng.uniform(-0.5, 0.5, (3500, 3))
        axis = rng.integers(0, 3, 3500)
        face[np.arange(3500), axis] = np.where(axis == 2, 0.5, rng.choice([-0.5, 0.5], 3500))  # nobody sees the bottom
        coord.append(face * side + center)
        instance.append(np.full(3500, i))
    return {"coord": np.concatenate(coord).astype(np.float32), "instance": np.concatenate(instance)}


def with_voxels(scene):
    index = voxelize(scene["coord"])
    coord, instance = scene["coord"][index], scene["instance"][index]
    centers = np.array([center for center, _ in CUBES], np.float32)
    offset = np.where(instance[:, None] >= 0, centers[instance] - coord, 0).astype(np.float32)
    feat = np.eye(4, dtype=np.float32)[instance]
    return scene | {"voxels": {"coord": coord, "instance_offset": offset, "feat": feat}}


def oracle(voxels):
    return cluster_offsets(voxels["coord"], voxels["instance_offset"])


def test_voxels_hold_one_point_each_and_carry_labels_back():
    coord = room()["coord"]
    index = voxelize(coord, 0.04)
    cells = np.floor(coord / 0.04).astype(int)
    assert len(np.unique(cells[index], axis=0)) == len(index) == len(np.unique(cells, axis=0))
    raw = to_raw(np.arange(len(index)), coord[index], coord)
    np.testing.assert_array_equal(raw[index], np.arange(len(index)))
    distance = np.linalg.norm(coord[index][raw] - coord, axis=1)
    assert distance.max() <= 0.04 * np.sqrt(3)
    some = slice(0, len(coord), 97)
    brute = np.linalg.norm(coord[some, None] - coord[index][None], axis=2).min(axis=1)
    np.testing.assert_allclose(distance[some], brute, atol=1e-6)


def test_zero_offsets_are_plain_geometry():
    scene = with_voxels(room())
    zero = {"components": lambda v: components(v["coord"], 0.08, 50)}
    zero["offsets"] = lambda v: cluster_offsets(v["coord"], np.zeros_like(v["coord"]), 0.08, 50)
    zero["tensors"] = lambda v: cluster_offsets(torch.from_numpy(v["coord"]), torch.zeros(len(v["coord"]), 3), 0.08, 50)
    labels = [method(scene["voxels"]) for method in zero.values()]
    np.testing.assert_array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(labels[0], labels[2])
    for planes_off in (False, True):
        result = evaluate_label_free([scene], zero, planes_off)
        assert result["components"] == pytest.approx(result["offsets"], nan_ok=True)
        assert result["components"] == pytest.approx(result["tensors"], nan_ok=True)


def test_protocols_tell_what_each_method_can_do():
    methods = {"components": lambda v: components(v["coord"], 0.08), "true centers": oracle}
    methods["nothing"] = lambda v: np.full(len(v["coord"]), -1)
    raw = evaluate_label_free([with_voxels(room(s)) for s in (0, 1)], methods)
    off = evaluate_label_free([with_voxels(room(s)) for s in (0, 1)], methods, planes_off=True)
    assert raw["components"]["recall50"] == 0  # everything hangs together by the floor
    assert off["components"]["recall50_free"] == 1
    assert off["components"]["recall50_touching"] == 0  # the two cubes 2 cm apart are one component
    for result in (raw, off):
        assert result["true centers"]["map"] > 0.95
        assert result["true centers"]["recall50"] == 1
        assert result["true centers"]["ari"] > 0.8
        assert (result["nothing"]["map"], result["nothing"]["ari"], result["nothing"]["recall50"]) == (0, 0, 0)
        assert (result["nothing"]["num_objects"], result["nothing"]["num_touching"]) == (6, 4)


def test_scores_count_all_raw_points():
    """Leaving the points between the voxels out, as a shifted grid would, must cost: the trap that hid every effect."""
    scene = with_voxels(room())
    index = voxelize(scene["coord"])
    partial = np.full(len(scene["coord"]), -1)
    partial[index] = oracle(scene["voxels"])
    full = to_raw(oracle(scene["voxels"]), scene["voxels"]["coord"], scene["coord"])
    member = scene["instance"] == 0
    assert best_overlap(partial, member) < 0.5 < 0.9 < best_overlap(full, member)


def test_voxels_are_made_where_a_scene_has_none():
    result = evaluate_label_free([room()], {"components": lambda v: components(v["coord"], 0.08)}, planes_off=True)
    prepared = evaluate_label_free(
        [with_voxels(room())], {"components": lambda v: components(v["coord"], 0.08)}, planes_off=True
    )
    assert result["components"] == pytest.approx(prepared["components"])


def test_the_score_of_a_method_ranks_its_instances():
    """Two cubes are right, the third is cut in two: a score that tells them apart beats one that does not."""

    def cut(voxels):
        owner = voxels["feat"].argmax(axis=1)
        return np.where(owner < 3, owner + ((owner == 2) & (voxels["coord"][:, 0] > 2.0)), -1)

    value = np.array([1.0, 1.0, 0.2, 0.1])
    scores = dict(
        ranked=lambda voxels, label: value[: label.max() + 1],
        constant=lambda voxels, label: np.full(label.max() + 1, 0.5),
        reversed=lambda voxels, label: 1 - value[: label.max() + 1],
    )
    methods = dict.fromkeys((*scores, "default"), cut)
    for planes_off in (False, True):
        table = evaluate_label_free([with_voxels(room())], methods, planes_off, scores=scores)
        assert table["ranked"]["map"] > table["constant"]["map"] > table["reversed"]["map"] > 0
        for name in ("ari", "recall50"):
            assert len({row[name] for row in table.values()}) == 1  # no matter of ranking
        alone = evaluate_label_free([with_voxels(room())], dict(default=cut), planes_off)
        assert table["default"] == alone["default"]  # a method without a score has its size


def test_scene_without_objects_is_nan_not_perfect():
    scene = room()
    scene["instance"] = np.full(len(scene["coord"]), -1)
    result = evaluate_label_free([scene], {"components": lambda v: components(v["coord"])})["components"]
    assert result["num_objects"] == 0
    assert np.isnan([result[key] for key in ("map", "ari", "recall50", "recall50_touching")]).all()


def test_kmeans_splits_what_features_tell_apart():
    voxels = with_voxels(room())["voxels"]
    label = kmeans_instances(voxels["coord"], voxels["feat"], num_clusters=4, radius=0.08)
    owner = voxels["feat"].argmax(axis=1)
    for i in range(3):
        assert len(np.unique(label[owner == i])) == 1
    assert len(np.unique(label)) == 4


def test_hdbscan_matches_brute_force_and_small_scenes():
    cluster = pytest.importorskip("sklearn.cluster")
    coord = with_voxels(room())["voxels"]["coord"][::3]
    slow = cluster.HDBSCAN(60, min_samples=5, algorithm="brute", copy=True).fit_predict(coord)
    assert object_rand_index(hdbscan_instances(coord), slow) > 0.999
    np.testing.assert_array_equal(hdbscan_instances(coord[:10]), np.full(10, -1))


def test_missing_scikit_learn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ImportError, match=r"pip install pointins_ext\[cluster\]"):
        hdbscan_instances(np.zeros((100, 3)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1, 6), max_size=40), st.integers(1, 6))
def test_drop_small_keeps_the_partition_of_the_rest(values, min_points):
    label = np.array(values, np.int64)
    kept = drop_small(label, min_points)
    for i in set(values):
        mine = kept[label == i]
        assert len(set(mine)) == 1
        assert (mine[0] >= 0) == (i >= 0 and len(mine) >= min_points)
    large = {i for i in values if i >= 0 and values.count(i) >= min_points}
    assert set(kept[kept >= 0]) == set(range(len(large)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 4), st.booleans()), min_size=1, max_size=40), st.integers(1, 4))
def test_best_overlap_equals_counting(points, min_points):
    label, member = (np.array(x) for x in zip(*points, strict=True))
    masks = [label == i for i in range(5) if (label == i).sum() >= min_points]
    expected = max((float((m & member).sum() / (m | member).sum()) for m in masks), default=0.0)
    assert best_overlap(label, member, min_points) == pytest.approx(expected)


def test_unassigned_points_never_pay():
    instance = np.repeat([0, 1, -1], [50, 50, 30])
    right = np.repeat([3, 8, 8], [50, 50, 30])
    missed = np.repeat([3, -1, 8], [50, 50, 30])
    assert object_rand_index(right, instance) == 1  # points outside objects do not count
    assert object_rand_index(missed, instance) < 0.8  # as one cluster of their own they would score 1


def test_touching_objects_equals_all_distances():
    rng = np.random.default_rng(0)
    center = rng.uniform(0, 1, (7, 3))
    instance = rng.integers(0, 7, 200)
    coord = center[instance] + rng.normal(0, 0.05, (200, 3))
    apart = np.linalg.norm(coord[:, None] - coord[None], axis=2)
    for distance in (0.05, 0.1, 0.2):
        close = (apart <= distance) & (instance[:, None] != instance[None])
        expected = [bool(close[instance == i].any()) for i in range(7)]
        assert touching_objects(coord, instance, range(7), distance) == expected
    assert touching_objects(coord, instance, [], 0.1) == []

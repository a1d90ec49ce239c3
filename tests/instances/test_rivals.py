"""Rivals of the offsets: planes as instances of their own, and parameters that are chosen on training scenes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tune_rivals
from pointins_ext.cli import evaluate as tool
from pointins_ext.errors import ScanWarning
from pointins_ext.evaluation.label_free import evaluate_label_free, on_planes
from pointins_ext.instances.rivals import CLUSTERINGS, off_planes, rival, tidy, with_planes

VOXEL = 0.05
STEP = 0.04  # between points, so that neighbors are nearer than a voxel
COMPONENTS = dict(radius=1.25, min_points=20)


def lattice(low, high):
    """Points on the surface of a box, but for the face that it stands on."""
    axes = [np.arange(a, b + 1e-9, STEP) for a, b in zip(low, high, strict=True)]
    point = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.all((point > np.array(low) + 1e-6) & (point < np.array(high) - 1e-6), axis=1)
    return point[~inside]


def scene(places, size=0.32):
    """A floor of 4 m and boxes at some of its 16 places, 1 m apart, their lowest points `STEP` above it."""
    coord = [lattice((0, 0, 0), (4, 4, 0))]
    for place in sorted(places):
        low = np.array([0.3 + place // 4, 0.3 + place % 4, STEP])
        coord.append(lattice(low, low + size))
    instance = np.repeat(np.arange(len(coord)) - 1, [len(c) for c in coord])
    return np.concatenate(coord).astype(np.float32), instance


def voxels_of(coord):
    return dict(coord=coord, plane=on_planes(coord))


def planes_apart(method, voxels):
    return with_planes(off_planes(method, voxels, voxels["plane"]), voxels["coord"], voxels["plane"], VOXEL)


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(0, 15), min_size=1, max_size=6))
def test_boxes_that_stand_apart_are_solved_by_components_with_planes(places):
    coord, instance = scene(places)
    voxels = voxels_of(coord)
    components = rival("components", VOXEL, **COMPONENTS)
    label = planes_apart(components, voxels)
    pairs = set(zip(label, instance, strict=True))
    assert len(pairs) == len(set(label)) == len(places) + 1  # one to one: the floor and every box
    assert label.min() == 0
    assert len(set(components(voxels))) == 1  # without the trick all of it is one component


def test_planes_change_nothing_beside_them():
    coord, _ = scene({0, 5})
    voxels = voxels_of(coord)
    rest = off_planes(lambda v: np.where(v["coord"][:, 0] < 1, 0, -1), voxels, voxels["plane"])
    label = with_planes(rest, coord, voxels["plane"], VOXEL)
    np.testing.assert_array_equal(label[~voxels["plane"]], rest[~voxels["plane"]])
    assert set(label[voxels["plane"]]) == {1}
    everything, nothing = np.ones(len(coord), bool), np.zeros(len(coord), bool)
    assert set(off_planes(None, voxels, everything)) == {-1}
    np.testing.assert_array_equal(with_planes(rest, coord, nothing, VOXEL), rest)


@pytest.mark.parametrize("name", sorted(CLUSTERINGS))
def test_parameters_are_in_voxels(name):
    pytest.importorskip("sklearn")
    coord, instance = scene({0, 1, 5})
    parameters = dict(
        components=COMPONENTS,
        hdbscan=dict(min_cluster_size=60, min_samples=5, reach=2.0),
        kmeans=dict(num_clusters=3, radius=1.25, min_points=20, reach=2.0),
    )[name]
    feat = np.eye(4, dtype=np.float32)[instance]
    small, large = (
        rival(name, VOXEL * scale, **parameters)(dict(coord=coord * np.float32(scale), feat=feat)) for scale in (1, 8)
    )
    np.testing.assert_array_equal(small, large)
    assert small.max() > -1


def test_removed_planes_are_scored_as_if_the_method_ran_without_them():
    coord, instance = scene({0, 1, 5, 7})
    voxels = voxels_of(coord)
    method = rival("components", VOXEL, **COMPONENTS)
    voxels["apart"] = off_planes(method, voxels, voxels["plane"])
    one = dict(coord=coord, instance=instance)
    found, given_mask = (
        evaluate_label_free([one | dict(voxels=v)], {"method": method}, planes_off=True)["method"]
        for v in (dict(coord=coord), voxels)
    )
    labels = evaluate_label_free([one | dict(voxels=voxels)], {"labels": lambda v: v["apart"]}, planes_off=True)
    assert found == pytest.approx(given_mask, nan_ok=True)
    assert found == pytest.approx(labels["labels"], nan_ok=True)
    assert found["recall50"] == 1


# -- parameters -----------------------------------------------------------------------------------------------------


def stored(kind="raw"):
    data = tool.stored_rivals()
    return [(name, rival_name, entry[kind]) for name, rivals in data.items() for rival_name, entry in rivals.items()]


def test_stored_parameters_come_from_training_scenes_and_from_the_grid():
    for data, name, entry in stored() + stored("apart"):
        grid = {key: values for part in tune_rivals.GRIDS[name] for key, values in part.items()}
        assert set(entry["parameters"]) == set(grid), (data, name)
        assert all(value in grid[key] for key, value in entry["parameters"].items()), (data, name)
        assert 0 <= entry["map"] <= entry["ap50"] <= 1
    for rivals in tool.stored_rivals().values():
        assert all("--split" not in entry["command"] for entry in rivals.values())  # the tool's default is train


def test_what_is_stored_is_used_without_a_word_and_what_is_not_is_said(recwarn):
    data = tool.stored_rivals()
    assert {"rooms", "drives", "mosd"} <= set(data)
    for name in ("rooms", "mosd"):
        for rival_name, entry in tool.rival_parameters(name).items():
            assert entry["raw"] == data[name][rival_name]["raw"] and entry["data"] == name
    assert not recwarn.list
    with pytest.warns(ScanWarning, match="kmeans, hdbscan, components on attic: .* those of rooms are used .*mosd"):
        parameters = tool.rival_parameters("attic")
    assert {entry["data"] for entry in parameters.values()} == {"rooms"}


def test_the_best_of_the_grid_is_chosen_for_each_way(monkeypatch):
    """Boxes 0.7 m apart: a radius that joins them is worse, and so is one that joins no points at all."""
    grid = dict(components=(dict(radius=(0.5, 1.25, 16.0)), dict(min_points=(20,), reach=(0.0,))))
    monkeypatch.setattr(tune_rivals, "GRIDS", grid)
    coord, instance = scene({0, 1, 5, 7})

    def predictor(_):
        return SimpleNamespace(coord=coord, feat=coord, nearest=np.arange(len(coord)))

    predictor.grid_size, predictor.scale = VOXEL, 1.0
    best = tune_rivals.choose(predictor, [dict(coord=coord, instance=instance)], ["components"])["components"]
    assert best["apart"]["parameters"]["radius"] == 1.25 and best["apart"]["map"] == 1.0
    assert best["raw"]["map"] == 0.0  # whatever the radius, the floor joins all or nothing is joined
    json.dumps(best)


def test_one_hierarchy_serves_all_sizes_of_hdbscan():
    pytest.importorskip("sklearn")
    coord = np.random.default_rng(0).normal(0, 1, (700, 3)) + np.repeat(np.eye(3) * 6, [100, 250, 350], axis=0)
    found = list(tune_rivals.hdbscan_sizes(coord, min_cluster_size=(20, 120, 300, 900), min_samples=(5, 15)))
    assert len(found) == 8 and {label.max() for _, label in found} >= {-1, 1, 2}
    for parameters, label in found:
        np.testing.assert_array_equal(label, CLUSTERINGS["hdbscan"](dict(coord=coord), VOXEL, **parameters))


def test_tidying_drops_and_joins():
    coord = np.array([[0, 0, 0], [1, 0, 0], [5, 0, 0]], np.float32)
    np.testing.assert_array_equal(tidy(np.array([0, 0, 1]), coord, 1.0, min_points=2), [0, 0, -1])
    np.testing.assert_array_equal(tidy(np.array([0, 0, 1]), coord, 1.0, min_points=2, reach=4.5), [0, 0, 0])
    np.testing.assert_array_equal(tidy(np.array([0, 0, 1]), coord, 0.5, min_points=2, reach=4.5), [0, 0, -1])

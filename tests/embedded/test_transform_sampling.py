"""Which points of a scene stay: grids, crops, fragments; what instances become."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded.transform import Compose
from pointins_ext.embedded.transform_sampling import fnv_hash, ravel_hash
from tests.fixtures.transform_scenes import NEEDED, make_scene, quick, run, seeds


@quick
@given(seed=seeds, size=st.floats(0.05, 2), kind=st.sampled_from(["fnv", "ravel"]))
def test_grid_sample_keeps_one_point_a_cell_and_its_inverse_maps_back(seed, size, kind):
    scene = make_scene(seed)
    scene["row"] = np.arange(400)
    scene["index_valid_keys"] = ["coord", "row"]
    np.random.seed(seed)
    result = run("GridSample", scene, grid_size=size, hash_type=kind, return_inverse=True, return_grid_coord=True)
    cell = np.floor(scene["coord"] / np.float64(size)).astype(int)
    cell -= cell.min(axis=0)
    assert len(result["coord"]) == len(np.unique(cell, axis=0))
    assert (result["grid_coord"][result["inverse"]] == cell).all()
    assert (scene["coord"][result["row"]] == result["coord"]).all()
    assert "grid_coord" in result["index_valid_keys"]


def test_test_fragments_hold_every_point():
    scene = make_scene()
    fragments = run("GridSample", scene, grid_size=1.0, mode="test", return_grid_coord=True)
    assert set(np.concatenate([fragment["index"] for fragment in fragments])) == set(range(400))
    assert all((fragment["coord"] == scene["coord"][fragment["index"]]).all() for fragment in fragments)
    assert len({len(fragment["index"]) for fragment in fragments}) == 1


def test_hashes_equal_their_definition():
    cell = np.random.default_rng(0).integers(0, 40, (200, 3))
    for row, key in zip(cell, fnv_hash(cell), strict=True):
        expected = 14695981039346656037
        for value in row:
            expected = (expected * 1099511628211) % 2**64 ^ int(value)
        assert key == expected
    assert (ravel_hash(cell) == np.ravel_multi_index(cell.T, cell.max(axis=0) + 1)).all()


def test_crops_and_drops_index_every_key_alike():
    scene = make_scene()
    for name in ("SphereCrop", "RandomDropout", "ShufflePoint", "CropBoundary", "GridSample"):
        scene["superpoint"] = np.arange(400)
        result = run(name, scene, **NEEDED.get(name, {}))
        for key in ("coord", "color", "normal", "segment", "instance"):
            assert (result[key] == scene[key][result["superpoint"]]).all(), (name, key)
    assert len(run("SphereCrop", scene, sample_rate=0.25)["coord"]) == 100
    assert len(run("RandomDropout", scene, dropout_application_ratio=1)["coord"]) == 320
    assert not set(run("CropBoundary", scene)["segment"]) & {0, 1}


PICKERS = {
    "RandomDropout": dict(dropout_application_ratio=1),
    "GridSample": dict(grid_size=0.7, return_inverse=True, return_grid_coord=True),
    "SphereCrop": dict(point_max=150),
    "ShufflePoint": {},
    "CropBoundary": {},
}


@pytest.mark.parametrize("name", PICKERS)
@quick
@given(seed=seeds)
def test_annotated_points_are_followed_and_survive_sampling(name, seed):
    scene = make_scene(seed)
    annotated = np.random.default_rng(seed).choice(400, 20, replace=False)
    scene |= dict(sampled_index=annotated, superpoint=np.arange(400))
    np.random.seed(seed)
    result = run(name, scene, **PICKERS[name])
    kept = result["superpoint"]
    expected = annotated if name in ("RandomDropout", "GridSample", "ShufflePoint") else set(annotated) & set(kept)
    assert set(kept[result["sampled_index"]]) == set(expected)
    assert len(result["sampled_index"]) == len(expected) and len(set(kept)) == len(kept)
    if "inverse" in result:  # of several kept points of a cell, one
        cell = np.floor(scene["coord"] / 0.7)
        assert (np.floor(result["coord"][result["inverse"]] / 0.7) == cell).all()
        assert (result["grid_coord"][result["inverse"]] == cell - cell.min(axis=0)).all()
        assert len(kept) <= len(np.unique(cell, axis=0)) + 20


def test_annotated_points_of_fragments():
    scene = make_scene() | dict(sampled_index=np.arange(7), superpoint=np.arange(400))
    fragments = run("GridSample", scene, grid_size=1.0, mode="test")
    found = [set(fragment["superpoint"][fragment["sampled_index"]]) for fragment in fragments]
    assert set.union(*found) == set(range(7)) and len({len(fragment["index"]) for fragment in fragments}) == 1


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("project", [False, True])
def test_displacement_leads_to_the_middle_of_the_cell(mode, project):
    scene = make_scene() | dict(superpoint=np.arange(400))
    options = dict(grid_size=0.5, mode=mode, return_displacement=True, project_displacement=project)
    results = run("GridSample", scene, **options)
    for sample in [results] if mode == "train" else results:
        cells = sample["coord"].astype(np.float64) / 0.5
        expected = cells - np.floor(cells) - 0.5
        if project:
            expected = (expected * sample["normal"]).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(sample["displacement"], expected, atol=1e-6)
        assert "displacement" in sample["index_valid_keys"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_few_points_stay(number):
    scene = {key: value[:number] for key, value in make_scene().items()}
    for _ in range(10):
        assert len(run("RandomDropout", scene, dropout_ratio=0.9, dropout_application_ratio=1)["coord"]) == 1
        assert len(run("SphereCrop", scene, sample_rate=0.2)["coord"]) == 1
        assert 1 <= len(run("GridSample", scene)["coord"]) <= number
    assert np.isfinite(run("NormalizeCoord", scene)["coord"]).all()
    with pytest.raises(ValueError, match="SphereCrop: point_max is 0"):
        run("SphereCrop", scene, point_max=0)


def test_a_scene_that_loses_all_points_is_named():
    scene = make_scene() | dict(name="wall and floor", segment=np.arange(400) % 2)
    with pytest.raises(ValueError, match="CropBoundary leaves no point of the scene 'wall and floor'; take this"):
        Compose([dict(type="CropBoundary"), dict(type="GridSample")])(scene)


def test_points_without_instance_are_no_instance():
    scene = make_scene() | dict(segment=np.full(400, 3), instance=np.repeat([-1, 4, 2, -1], 100))
    result = run("InstanceParser", scene)
    assert result["instance"].tolist() == np.repeat([-1, 1, 0, -1], 100).tolist() and len(result["bbox"]) == 2
    assert (result["instance_centroid"][:100] == -1).all()
    bare = run("InstanceParser", scene | dict(instance=np.full(400, -1)))
    assert (bare["instance"] == -1).all() and bare["bbox"].shape == (0, 8)


def test_instance_parser_numbers_instances_and_finds_their_centers():
    scene = make_scene()
    result = run("InstanceParser", scene, segment_ignore_index=(-1, 0, 1))
    stuff = scene["segment"] < 2
    assert (result["instance"][stuff] == -1).all() and (result["instance_centroid"][stuff] == -1).all()
    assert set(result["instance"][~stuff]) == set(range(6)) and result["bbox"].shape == (6, 8)
    for number in range(6):
        mask = result["instance"] == number
        assert len(set(scene["instance"][mask])) == 1
        assert result["instance_centroid"][mask] == pytest.approx(
            np.tile(scene["coord"][mask].mean(axis=0), (mask.sum(), 1)), abs=1e-5
        )
        assert result["bbox"][number, 7] == scene["segment"][mask][0] - 2

"""Transforms of the embedded host: properties, bad inputs, and agreement with Pointcept where it is at hand."""

import colorsys
import importlib.util
import os
import random
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.transform import TRANSFORMS, Compose
from pointins_ext.embedded.transform_color import shift_hue
from pointins_ext.embedded.transform_sampling import fnv_hash, ravel_hash

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None)


def make_scene(seed=0, number=400):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(number, 3))
    segment = rng.integers(-1, 5, number)
    return dict(
        coord=rng.uniform([-2, 1, 0], [2, 4, 2.5], (number, 3)).astype(np.float32),
        color=rng.uniform(0, 255, (number, 3)).astype(np.float32),
        normal=(normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        segment=segment.astype(np.int32),
        instance=np.where(segment < 0, -1, segment * 3 + rng.integers(0, 2, number)).astype(np.int32),
        name="scene",
    )


def build(type_, **kwargs):
    return TRANSFORMS.build(dict(type=type_, **kwargs))


def run(type_, scene=None, **kwargs):
    return build(type_, **kwargs)(make_scene() if scene is None else dict(scene))


def distances(coord):
    return np.linalg.norm(coord[:50, None] - coord[None, :50], axis=2)


# every transform


NEEDED = {
    "Collect": dict(keys=("coord",), offset_keys_dict={}),
    "RandomColorGrayScale": dict(p=1),
    "RandomDropout": dict(dropout_application_ratio=1),
    "MultiViewGenerator": dict(view_keys=("coord", "color", "normal"), max_size=100),
    "GlobalViewGenerator": dict(view_keys=("coord", "color", "normal"), max_size=100),
    "SphereCrop": dict(point_max=100),
    "RandomRotate": dict(p=1),
    "ChromaticAutoContrast": dict(p=1),
    "RandomColorJitter": dict(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=1),
    "Update": dict(keys_dict=dict(grid_size=0.02)),
}


EMBEDDED = {name for name, cls in TRANSFORMS.module_dict.items() if cls.__module__.startswith("pointins_ext.embedded")}


@pytest.mark.parametrize("name", sorted(EMBEDDED - {"ToTensor"}))
def test_no_transform_writes_into_its_input_or_leaves_float32(name):
    scene = make_scene()
    for value in scene.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    np.random.seed(0)
    result = build(name, **NEEDED.get(name, {}))(dict(scene))
    for key in ("coord", "color", "normal"):
        assert key not in result or result[key].dtype == np.float32


def test_unknown_transform_names_pointcept_as_the_way():
    with pytest.raises(KeyError, match="install Pointcept"):
        Compose([dict(type="ImgGaussianBlur")])


# geometry


@quick
@given(seed=seeds, axis=st.sampled_from("xyz"))
def test_rotation_keeps_distances_its_axis_and_turns_normals_alike(seed, axis):
    scene = make_scene(seed)
    scene["normal"] = scene["coord"] - scene["coord"][:1]
    np.random.seed(seed)
    turned = run("RandomRotate", scene, axis=axis, p=1)
    assert distances(turned["coord"]) == pytest.approx(distances(scene["coord"]), abs=1e-4)
    column = "xyz".index(axis)
    assert turned["coord"][:, column] == pytest.approx(scene["coord"][:, column], abs=1e-4)
    assert turned["normal"] == pytest.approx(turned["coord"] - turned["coord"][:1], abs=1e-4)


def test_quarter_turn_around_z_takes_x_to_y():
    scene = dict(coord=np.eye(3, dtype=np.float32))
    turned = run("RandomRotateTargetAngle", scene, angle=(1 / 2,), center=[0, 0, 0], always_apply=True)
    assert turned["coord"] == pytest.approx(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), abs=1e-6)


def test_flip_twice_is_nothing_and_turns_normals_along():
    scene = make_scene()
    once = run("RandomFlip", scene, p=1)
    assert (once["coord"] == scene["coord"] * [-1, -1, 1]).all()
    assert (once["normal"] == scene["normal"] * [-1, -1, 1]).all()
    assert (run("RandomFlip", once, p=1)["coord"] == scene["coord"]).all()


@quick
@given(seed=seeds)
def test_scale_shift_and_jitter_stay_within_their_range(seed):
    np.random.seed(seed)
    scene = make_scene(seed)
    ratio = run("RandomScale", scene, scale=[0.9, 1.1], anisotropic=True)["coord"] / scene["coord"]
    assert np.ptp(ratio, axis=0) == pytest.approx(0, abs=1e-3) and 0.899 < ratio.min() <= ratio.max() < 1.101
    shift = run("RandomShift", scene)["coord"] - scene["coord"]
    assert np.ptp(shift, axis=0) == pytest.approx(0, abs=1e-5) and np.abs(shift).max() <= 0.201
    jitter = run("RandomJitter", scene, sigma=0.01, clip=0.02)["coord"] - scene["coord"]
    assert np.abs(jitter).max() <= 0.0201 and jitter.std() == pytest.approx(0.0095, rel=0.15)


def test_shifts_and_clips_place_the_box():
    centred = run("CenterShift")["coord"]
    assert centred.min(axis=0)[:2] == pytest.approx(-centred.max(axis=0)[:2], abs=1e-5) and centred[:, 2].min() == 0
    assert run("CenterShift", apply_z=False)["coord"][:, 2] == pytest.approx(make_scene()["coord"][:, 2])
    assert run("PositiveShift")["coord"].min(axis=0) == pytest.approx(0)
    assert np.linalg.norm(run("NormalizeCoord")["coord"], axis=1).max() == pytest.approx(1)
    clipped = run("PointClip", point_cloud_range=(-1, 2, 1, 1, 3, 2))["coord"]
    assert (clipped.min(axis=0) == [-1, 2, 1]).all() and (clipped.max(axis=0) == [1, 3, 2]).all()


def test_elastic_distortion_moves_neighbours_alike():
    np.random.seed(1)
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 3, (300, 3))
    near = coord + rng.uniform(-1, 1, (300, 3)) * 1e-3
    both = np.concatenate([coord, near]).astype(np.float32)
    moved = build("ElasticDistortion").distort(both, 0.2, 0.4) - both
    assert np.linalg.norm(moved, axis=1).mean() > 0.02
    assert np.abs(moved[:300] - moved[300:]).max() < 0.01


# colour


@quick
@given(seed=seeds, shift=st.floats(-0.5, 0.5))
def test_hue_shift_equals_colorsys(seed, shift):
    color = np.random.default_rng(seed).integers(0, 256, (20, 3)).astype(np.float64)
    color[0] = 90
    expected = []
    for rgb in color / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
        expected.append(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value))
    assert shift_hue(color, shift) / 255 == pytest.approx(np.array(expected), abs=1e-9)


@quick
@given(seed=seeds)
def test_colours_stay_colours(seed):
    np.random.seed(seed)
    scene = make_scene(seed)
    for name in ("RandomColorJitter", "ChromaticTranslation", "ChromaticJitter", "ChromaticAutoContrast"):
        scene = run(name, scene, **NEEDED.get(name, dict(p=1)))
        assert -1e-3 <= scene["color"].min() <= scene["color"].max() <= 255.001, name
    assert run("NormalizeColor", scene)["color"].max() <= 1.00001
    assert np.ptp(run("RandomColorGrayScale", scene, p=1)["color"], axis=1).max() == 0


def test_scene_without_colour_passes():
    for name in ("RandomColorJitter", "ChromaticTranslation", "ChromaticJitter", "ChromaticAutoContrast"):
        coord = dict(coord=np.zeros((3, 3), np.float32))
        assert run(name, coord, **NEEDED.get(name, dict(p=1))).keys() == coord.keys()


# sampling


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


def test_instance_parser_numbers_instances_and_finds_their_centres():
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


# views


AFFINE = [
    dict(type="CenterShift"),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip"),
]


def make_views(seed=0, global_transform=AFFINE, local_transform=AFFINE, **kwargs):
    np.random.seed(seed)
    steps = [
        dict(type="Copy", keys_dict=dict(coord="origin_coord")),
        dict(
            type="MultiViewGenerator",
            max_size=200,
            global_shared_transform=[dict(type="NormalizeColor")],
            global_transform=global_transform,
            local_transform=local_transform,
            **kwargs,
        ),
    ]
    return Compose(steps)(make_scene(seed))


@quick
@given(seed=seeds, local=st.sampled_from([0, 4]))
def test_views_are_affine_images_of_scene_points_within_the_size_range(seed, local):
    views = make_views(seed, local_view_num=local)
    rows = {tuple(row) for row in make_scene(seed)["coord"]}
    for prefix, number, (low, high) in (("global", 2, (0.4, 1.0)), ("local", local, (0.1, 0.4))):
        if not number:
            assert not [key for key in views if key.startswith(prefix)]
            continue
        offset = views[f"{prefix}_offset"]
        sizes = np.diff(offset, prepend=0)
        assert len(sizes) == number and (low * 200 - 1 <= sizes).all() and (sizes <= high * 200).all()
        origin = views[f"{prefix}_origin_coord"]
        assert {tuple(row) for row in origin} <= rows
        for part in np.split(np.arange(offset[-1]), offset[:-1]):
            homogeneous = np.c_[origin[part], np.ones(len(part))]
            fit, *_ = np.linalg.lstsq(homogeneous, views[f"{prefix}_coord"][part], rcond=None)
            assert homogeneous @ fit == pytest.approx(views[f"{prefix}_coord"][part], abs=1e-4)


def test_a_view_holds_the_nearest_points_of_its_centre():
    views = make_views(global_transform=[], local_view_num=0)
    scene = make_scene()["coord"]
    for part in np.split(views["global_origin_coord"], views["global_offset"][:-1]):
        distance = np.linalg.norm(scene - part[0], axis=1)
        assert set(np.argsort(distance)[: len(part)]) == {int(np.argmin(((scene - p) ** 2).sum(1))) for p in part}


def test_shared_transform_reaches_global_views_only_and_shared_view_repeats_the_points():
    views = make_views(shared_global_view=True, local_view_num=2)
    assert views["global_color"].max() <= 1 < views["local_color"].max()
    first, second = np.split(views["global_origin_coord"], views["global_offset"][:-1])
    assert (first == second).all()


def test_view_transform_that_tears_keys_apart_is_an_error():
    drop = [dict(type="RandomDropout", dropout_application_ratio=1)]
    with pytest.raises(ValueError, match="index_valid_keys"):
        make_views(global_transform=drop)


def test_missing_view_key_is_named():
    with pytest.raises(KeyError, match="MultiViewGenerator.*'strength'"):
        make_views(view_keys=("coord", "strength"))


# tensors


def test_to_tensor_and_collect_give_what_models_read():
    sample = Compose(
        [dict(type="Copy"), dict(type="Update", keys_dict=dict(epoch=3, ratio=0.5)), dict(type="ToTensor")]
    )(make_scene())
    assert sample["coord"].dtype == torch.float32 and sample["segment"].dtype == torch.int64
    assert sample["epoch"].tolist() == [3] and sample["ratio"].tolist() == [0.5] and sample["name"] == "scene"
    collected = build("Collect", keys=("coord", "name"), feat_keys=("coord", "color"))(sample)
    assert set(collected) == {"coord", "name", "offset", "feat"} and collected["offset"].tolist() == [400]
    assert (collected["feat"] == torch.cat([sample["coord"], sample["color"]], dim=1)).all()
    with pytest.raises(KeyError, match="'strength'"):
        build("Collect", keys=("coord",), feat_keys=("coord", "strength"))(sample)
    with pytest.raises(TypeError, match="NoneType"):
        build("ToTensor")(dict(coord=None))


# the same numbers as Pointcept's


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(scope="module")
def pointcept():
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        pytest.skip("POINTCEPT_ROOT is not set")
    # the file alone: the package around it needs compiled parts, and torchvision serves images only
    spec = importlib.util.spec_from_file_location("pointcept_transform", Path(root, "pointcept/datasets/transform.py"))
    module = importlib.util.module_from_spec(spec)
    stand_ins = dict(torchvision=mock.MagicMock(), pointcept_transform=module)
    with mock.patch.dict(sys.modules, stand_ins), mock.patch.object(sys, "path", [root, *sys.path]):
        spec.loader.exec_module(module)
    return module


OF_POINTCEPT = {name for name, cls in TRANSFORMS.module_dict.items() if ".embedded." in cls.__module__}


@pytest.mark.parametrize("name", sorted(OF_POINTCEPT - {"ToTensor", "Collect", "RandomColorGrayScale"}))
def test_equals_pointcept(name, pointcept):
    if name == "InstanceParser" and not hasattr(np, "in1d"):
        pytest.skip("Pointcept's InstanceParser needs numpy < 2.4")
    kwargs = NEEDED.get(name, {})
    if name == "MultiViewGenerator":
        kwargs = dict(kwargs, global_shared_transform=[dict(type="ChromaticJitter")], global_transform=AFFINE)
    for seed in range(3):
        seed_all(seed)
        expected = pointcept.TRANSFORMS.build(dict(type=name, **kwargs))(make_scene(seed))
        seed_all(seed)
        result = run(name, make_scene(seed), **kwargs)
        assert set(result) - {"index_valid_keys"} == set(expected) - {"index_valid_keys"}
        for key, value in expected.items():
            if isinstance(value, np.ndarray):
                assert result[key] == pytest.approx(value, abs=2e-4 if "color" not in key else 0.02), (name, key)

"""Transforms of coordinates and normals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.transform_scenes import build, make_scene, quick, run, seeds


def distances(coord):
    return np.linalg.norm(coord[:50, None] - coord[None, :50], axis=2)


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
    centered = run("CenterShift")["coord"]
    assert centered.min(axis=0)[:2] == pytest.approx(-centered.max(axis=0)[:2], abs=1e-5) and centered[:, 2].min() == 0
    assert run("CenterShift", apply_z=False)["coord"][:, 2] == pytest.approx(make_scene()["coord"][:, 2])
    assert run("PositiveShift")["coord"].min(axis=0) == pytest.approx(0)
    assert np.linalg.norm(run("NormalizeCoord")["coord"], axis=1).max() == pytest.approx(1)
    clipped = run("PointClip", point_cloud_range=(-1, 2, 1, 1, 3, 2))["coord"]
    assert (clipped.min(axis=0) == [-1, 2, 1]).all() and (clipped.max(axis=0) == [1, 3, 2]).all()


def test_elastic_distortion_moves_neighbors_alike():
    np.random.seed(1)
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 3, (300, 3))
    near = coord + rng.uniform(-1, 1, (300, 3)) * 1e-3
    both = np.concatenate([coord, near]).astype(np.float32)
    moved = build("ElasticDistortion").distort(both, 0.2, 0.4) - both
    assert np.linalg.norm(moved, axis=1).mean() > 0.02
    assert np.abs(moved[:300] - moved[300:]).max() < 0.01

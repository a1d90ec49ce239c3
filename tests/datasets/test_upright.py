"""Turning a scan: rotations that bring one axis up and nothing else, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pointins_ext.datasets.drives import generate_drive
from pointins_ext.datasets.frame import TURN
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.datasets.upright import UPS, rotation_to_z, turned, upright_turn

ANGLE = st.floats(-np.pi, np.pi)


def degrees_off(axis):
    return np.degrees(np.arccos(np.clip(axis[2], -1, 1)))


@given(ANGLE, ANGLE)
def test_a_rotation_takes_its_axis_up_and_keeps_all_lengths(a, b):
    axis = np.array([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)])
    turn = rotation_to_z(axis)
    np.testing.assert_allclose(turn @ axis, [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("up", UPS[:-1])
def test_a_named_axis_is_turned_as_the_warning_says(up):
    coord = np.random.default_rng(0).normal(size=(50, 3))
    turn = upright_turn(coord, up)
    name = up if up.startswith("-") else f"+{up}"
    expected = coord if up == "z" else eval(TURN[name], dict(coord=coord))
    np.testing.assert_allclose(coord @ turn.T, expected, atol=1e-12)


def test_without_an_axis_nothing_changes():
    scene = dict(coord=np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    assert turned(scene, upright_turn(scene["coord"], None)) is scene
    assert np.array_equal(upright_turn(scene["coord"], "auto"), np.eye(3))


def test_normals_turn_with_the_points_and_all_goes_back():
    rng = np.random.default_rng(0)
    scene = dict(coord=rng.normal(size=(50, 3)).astype(np.float32), color=np.ones((50, 3)), coord_shift=np.ones(3))
    scene["normal"] = scene["coord"] / np.linalg.norm(scene["coord"], axis=1, keepdims=True)
    turn = upright_turn(scene["coord"], "-x")
    other = turned(scene, turn)
    assert other["color"] is scene["color"] and np.array_equal(other["coord_shift"], np.ones(3))
    for key in ("coord", "normal"):
        np.testing.assert_allclose(other[key][:, 2], -scene[key][:, 0], atol=1e-6)
        np.testing.assert_allclose(other[key] @ turn.astype(np.float32), scene[key], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("generate", [generate_room, generate_drive])
def test_auto_leaves_upright_scenes_and_rights_tilted_ones(generate, seed):
    coord = generate(seed)["coord"]
    assert degrees_off(upright_turn(coord, "auto")[:, 2]) < 3
    for tilt in (15, 35, 60):  # a camera's: about a horizontal axis of any direction, then about z
        frame = Rotation.from_euler("zxz", [40 * seed, tilt, 70], degrees=True).as_matrix()
        turn = upright_turn((coord @ frame.T).astype(np.float32), "auto")
        assert degrees_off(turn @ frame[:, 2]) < 4
    for up in ("x", "-x", "y", "-y", "-z"):
        frame = upright_turn(coord, up).T
        assert degrees_off(upright_turn((coord @ frame.T).astype(np.float32), "auto") @ frame[:, 2]) < 4

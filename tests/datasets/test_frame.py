"""Scans on their side, upside down, in millimeters or of one voxel are told from those that are as they should be."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointins_ext.datasets.frame import (
    TURN,
    check_meters,
    check_units,
    check_up,
    floor_tilt,
    point_spacing,
    robust_extent,
    up_axis,
)
from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.scans import ScanDataset
from pointins_ext.datasets.synthetic.drive_generator import generate_drive
from pointins_ext.datasets.synthetic.room_generator import generate_room
from pointins_ext.datasets.tree import find_scans
from pointins_ext.errors import ScanWarning, _notices

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()
# an upright scan with its up axis turned to this one
FRAMES = {
    "-z": lambda coord: coord * [1, -1, -1],
    "+y": lambda coord: coord[:, [0, 2, 1]] * [1, 1, -1],
    "-y": lambda coord: coord[:, [0, 2, 1]] * [1, -1, 1],
    "+x": lambda coord: coord[:, [2, 1, 0]] * [1, 1, -1],
    "-x": lambda coord: coord[:, [2, 1, 0]] * [-1, 1, 1],
}
SCENES = {"room": generate_room, "drive": generate_drive}


@pytest.fixture(autouse=True)
def all_notices():
    _notices.clear()


def assert_told(coord, frames=FRAMES):
    assert up_axis(coord) is None
    for axis in frames:
        turned = FRAMES[axis](coord).astype(np.float32)
        assert up_axis(turned) == axis
        np.testing.assert_allclose(eval(TURN[axis], dict(coord=turned)), coord, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", SCENES)
def test_the_up_axis_of_synthetic_scenes(kind, seed):
    assert_told(SCENES[kind](seed)["coord"])


@pytest.mark.skipif(not (DATA / "unpack.py").exists(), reason="no real scans: set POINTINS_TEST_DATA to their folder")
def test_the_up_axis_of_real_scans(tmp_path):
    subprocess.run([sys.executable, DATA / "unpack.py", tmp_path], check=True, capture_output=True)
    paths = [*find_scans(tmp_path / "mosd" / "val"), *find_scans(tmp_path / "av2")]
    assert len(paths) == 16
    for path in paths:
        assert_told(read_scan(path)["coord"], ("-z", "+y"))


def test_upright_scenes_without_a_floor_of_their_own_are_left_alone():
    rng = np.random.default_rng(0)
    room = generate_room(0)["coord"]
    low, high = room.min(axis=0), [*room.max(axis=0)[:2], room.min() + 2.5]
    sides = []
    for axis in range(3):
        for level in (low[axis], high[axis]):
            side = rng.uniform(low, high, (8000, 3))
            side[:, axis] = level
            sides.append(side)
    closed = np.concatenate([room, *sides])
    direction = rng.normal(size=(20_000, 3))
    ball = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    corridor = closed * [0.4, 1.5, 1]
    for coord in (closed, corridor, ball, np.abs(ball), rng.random((5000, 3)), room * [1, 1, 0], room[:50], room[:1]):
        assert up_axis(coord.astype(np.float32)) is None


def test_the_warning_names_the_axis_and_the_turn():
    room = FRAMES["+y"](generate_room(1)["coord"]).astype(np.float32)
    with pytest.warns(ScanWarning, match=r"^a.ply: y looks like the up axis.*coord\[:, \[0, 2, 1\]\] \* \[1, -1, 1\]"):
        assert not check_up(room, "a.ply")


@pytest.mark.parametrize("kind", SCENES)
def test_a_tilted_floor_is_told_and_no_other(kind):
    for seed in range(5):
        coord = SCENES[kind](seed)["coord"]
        assert floor_tilt(coord) is None and floor_tilt(coord[:50]) is None
        camera = Rotation.from_euler("xz", [40, 20 * seed], degrees=True).as_matrix()
        tilted = (coord @ camera.T).astype(np.float32)
        assert floor_tilt(tilted) == pytest.approx(40, abs=4)
    with pytest.warns(ScanWarning, match=r"a.ply: its largest flat .* tilted by \d+ degrees, but z must .*--up auto"):
        assert not check_up(tilted, "a.ply")


@pytest.mark.parametrize("kind, voxel", [("room", 0.04), ("drive", 0.1)])
def test_the_unit_of_synthetic_scenes_is_right(kind, voxel):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_units(SCENES[kind](0)["coord"], voxel, "a.ply")


def test_other_units_are_told():
    coord = generate_room(0)["coord"]
    words = r"^a.ply: its points lie [\d.]+ apart .*m if it is in millimeters.*divide .* by 1000 .*--grid-size"
    with pytest.raises(ValueError, match=words):
        check_units(coord * 1000, 0.04, "a.ply")
    with pytest.raises(ValueError, match=words):
        check_units(np.repeat(coord * 1000, 2, axis=0), 0.04, "a.ply")
    with pytest.warns(ScanWarning, match=words):
        assert not check_units(coord * 20, 0.04, "a.ply")
    with pytest.warns(ScanWarning, match="only 0.00.* wide, 0.0.* voxels of 0.04"):
        assert not check_units(coord / 1000, 0.04, "a.ply")
    assert check_units(coord * 1000, 40, "a.ply")


@pytest.mark.parametrize("voxel", [0.04, 0.1])
def test_millimeters_of_rooms_tables_and_sweeps_are_named(voxel):
    """Whether the voxel is known or not."""
    room = generate_room(0)["coord"]
    for coord in (room, room * 0.3, generate_drive(0)["coord"]):
        coord = coord * 1000
        with pytest.raises(ValueError, match="a.ply: .* m if it is in millimeters"):
            check_meters(point_spacing(coord), robust_extent(coord), voxel, "a.ply")
        with pytest.raises(ValueError, match="a.ply: .* m if it is in millimeters"):
            check_units(coord, voxel, "a.ply")
    with pytest.warns(ScanWarning, match="a.ply: .* 600 wide: 0.6 m if it is in millimeters"):
        assert not check_meters(0.5, 600.0, 0.04, "a.ply")
    assert check_meters(0.07, 150.0, 0.04, "a.ply") and check_meters(0.01, 3.0, 0.04, "a.ply")


def test_spacing():
    grid = np.stack(np.meshgrid(*[np.arange(12)] * 3), axis=-1).reshape(-1, 3) * 0.5
    assert point_spacing(grid) == point_spacing(np.repeat(grid, 3, axis=0)) == 0.5
    assert point_spacing(np.ones((50_000, 3))) == point_spacing(np.ones((1, 3))) == 0


@pytest.mark.parametrize("cache", [False, True])
def test_a_data_set_checks_its_scans(tmp_path, cache):
    room = generate_room(0)["coord"][::4]
    for number in range(5):
        np.save(tmp_path / f"{number}.npy", FRAMES["-z"](room).astype(np.float32))
    with pytest.warns(ScanWarning, match="0.npy: -z, upside down, looks like the up axis") as said:
        ScanDataset(tmp_path, cache=cache)
    assert len(said) == 1
    for number in range(5):
        np.save(tmp_path / f"{number}.npy", room * 1000)
    grid = [dict(type="GridSample", grid_size=0.04)]
    with pytest.raises(ValueError, match="0.npy: its points lie"):
        ScanDataset(tmp_path, cache=cache, transform=grid)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ScanDataset(tmp_path, cache=cache, transform=grid, scale=0.001)

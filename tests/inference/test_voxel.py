"""The voxel of a scan without one: scale-free, never among islands, that of training for what training saw."""

import copy
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pointins_ext
from pointins_ext.datasets.drives import generate_drive
from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.datasets.tree import find_scans
from pointins_ext.errors import ScanWarning
from pointins_ext.inference.voxel import FEWEST_VOXELS, FINEST, fit_voxel, scan_voxel
from tests.fixtures.tiny_pointins import GRID

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()
LENGTH = st.floats(1e-4, 1e3)


@pytest.fixture
def rooms(predictor):
    """A predictor with the voxel of the shipped rooms, 4 cm."""
    result = copy.copy(predictor)
    result.scale = predictor.grid_size / 0.04
    return result


def fitted(predictor, coord):
    return fit_voxel(predictor, coord, "a.ply")[0].voxel


@given(LENGTH, LENGTH, LENGTH)
def test_no_voxel_is_finer_than_the_points_allow(spacing, extent, trained):
    voxel = scan_voxel(spacing, extent, trained)
    assert voxel >= 0.6 * min(spacing / FINEST, trained) and voxel >= spacing  # one digit: up to 1/3 off
    if spacing <= trained:
        assert voxel <= trained
    if spacing <= trained and extent >= FEWEST_VOXELS * trained:
        assert voxel == trained


@given(LENGTH, LENGTH, LENGTH, st.integers(-3, 3))
def test_the_unit_is_of_no_importance(spacing, extent, trained, power):
    unit = 10.0**power
    voxel, other = scan_voxel(spacing, extent, trained), scan_voxel(spacing * unit, extent * unit, trained * unit)
    assert 0.49 < other / (voxel * unit) < 2.1  # at the border of two digits, which may be 1 and 2


@given(st.floats(1e-4, 1e-3), st.floats(1e-3, 10), st.floats(1, 4))
def test_a_larger_scan_gets_no_finer_voxel(spacing, extent, more):
    assert scan_voxel(spacing, extent * more, 0.04) >= scan_voxel(spacing, extent, 0.04)


def test_rooms_keep_the_voxel_of_training_and_small_things_get_another(rooms):
    room = generate_room(0)["coord"]
    assert fitted(rooms, room) == fitted(rooms, np.concatenate([room] * 3)) == 0.04
    house = np.concatenate([room + np.float32([4 * i, 0, 0]) for i in range(10)])
    assert fitted(rooms, house) == 0.04
    assert fitted(rooms, room[::200]) == pytest.approx(0.4, abs=0.11)
    table = room * np.float32(0.3)
    assert fitted(rooms, table) == 0.008
    predictor, line = fit_voxel(rooms, table, "a.ply")
    assert line.startswith(f"a.ply: voxel {predictor.voxel:.3g} m, from its spacing of 0.003")
    assert "extent of 0.9" in line and line.endswith("(--grid-size overrides)") and rooms.voxel == 0.04


@pytest.mark.skipif(not (DATA / "unpack.py").exists(), reason="no real scans: set POINTINS_TEST_DATA to their folder")
def test_the_voxels_of_real_scans(tmp_path, rooms):
    subprocess.run([sys.executable, DATA / "unpack.py", tmp_path], check=True, capture_output=True)
    tables = [fitted(rooms, read_scan(path)["coord"]) for path in find_scans(tmp_path / "mosd" / "train")]
    assert len(tables) == 30 and set(tables) <= {0.006, 0.007, 0.008, 0.009}
    assert np.median(tables) == pytest.approx(0.007, abs=0.0011)
    sweep = read_scan(find_scans(tmp_path / "pandaset" / "train")[0])["coord"]
    assert fitted(rooms, sweep) == 0.2
    rooms.centered = False
    assert fitted(rooms, sweep) == 0.04


def test_a_sensor_in_the_middle_and_a_given_voxel_are_kept(rooms):
    rooms.centered = False
    for coord in (generate_drive(0)["coord"], generate_room(0)["coord"] * 0.1):
        same, line = fit_voxel(rooms, coord, "a.bin")
        assert same is rooms and line == "a.bin: voxel 0.04 m, as in training, on sweeps (--grid-size overrides)"
    rooms.centered, rooms.voxel_given = True, True
    same, line = fit_voxel(rooms, generate_room(0)["coord"] * 0.1, "a.ply")
    assert same is rooms and line == "a.ply: voxel 0.04 m, as given"


def test_millimeters_are_named(rooms):
    room, sweep = generate_room(0)["coord"], generate_drive(0)["coord"]
    dense = np.random.default_rng(0).uniform(0, [600, 600, 0], (1_000_000, 3))  # half a millimeter apart
    for coord in (room * 1000, room * 300, sweep * 1000):
        with pytest.raises(ValueError, match="a.ply: its points lie .* if it is in millimeters.* divide .* by 1000"):
            fit_voxel(rooms, coord, "a.ply")
    with pytest.warns(ScanWarning, match="a.ply: its points lie .* wide: 0.588 m if it is in millimeters"):
        fit_voxel(rooms, dense, "a.ply")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for coord in (room, sweep, room * 0.01):
            fit_voxel(rooms, coord, "a.ply")


def test_segment_says_which_voxel_it_takes(predictor, scene):
    small = scene["coord"] * np.float32(0.2)
    with pytest.warns(ScanWarning, match=r"segment: voxel 0.00\d m, from its spacing .* \(grid_size= overrides\)"):
        label, _ = pointins_ext.segment(small, scene["color"], scene["normal"], weight=predictor, min_points=1)
    assert predictor.voxel == GRID and label.max() >= 0
    with pytest.warns(ScanWarning, match="the scan is only"):
        pointins_ext.segment(small, scene["color"], scene["normal"], weight=predictor, grid_size=GRID, min_points=1)

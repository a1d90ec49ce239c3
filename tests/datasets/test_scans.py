"""Any folder of scans becomes a dataset, or an error that says what is wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.scans import ScanDataset, find_scans, scan_normals

pytest.importorskip("plyfile")
DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()


def sphere(number=200, seed=0):
    direction = np.random.default_rng(seed).normal(size=(number, 3))
    return (direction / np.linalg.norm(direction, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def root(tmp_path):
    """Files and scene folders at several depths; `val` repeats a name of `train`."""
    for folder in ("train/deep", "val", "train/room/raw", ".cache"):
        (tmp_path / folder).mkdir(parents=True)
    write_ply(tmp_path / "train/a.ply", sphere(seed=1), np.full((200, 3), 30))
    np.save(tmp_path / "train/deep/b.npy", sphere(seed=2))
    np.save(tmp_path / "train/room/coord.npy", sphere(seed=3))
    np.save(tmp_path / "train/room/segment.npy", np.arange(200))
    np.save(tmp_path / "train/room/raw/part_of_the_scene.npy", sphere())
    np.savez(tmp_path / "val/a.npz", coord=sphere(seed=4), normal=np.tile([0, 0, 2.0], (200, 1)))
    np.save(tmp_path / ".cache/hidden.npy", sphere())
    (tmp_path / "notes.txt").write_text("not a scan")
    return tmp_path


def test_finds_every_scan_once(root):
    found = [str(Path(path).relative_to(root)) for path in find_scans(root)]
    assert found == ["train/a.ply", "train/deep/b.npy", "train/room", "val/a.npz"]
    assert find_scans(root / "train/a.ply") == [str(root / "train/a.ply")]
    assert find_scans(root / "train/room") == [str(root / "train/room")]


def test_splits_and_names(root):
    dataset = ScanDataset(root, loop=2)
    assert [dataset.get_data_name(idx) for idx in range(len(dataset))] == [
        "train_a",
        "train_deep_b",
        "train_room",
        "val_a",
    ] * 2
    assert len(ScanDataset(root, split="train")) == 3 and len(ScanDataset(root, split=["val", "train"])) == 4
    assert ScanDataset(root / "train/a.ply").get_data_name(0) == "a"
    assert ScanDataset(root / "train/room").get_data_name(0) == "room"
    np.save(root / "val/a.npy", sphere())
    assert [ScanDataset(root, split="val").get_data_name(idx) for idx in (0, 1)] == ["val_a.npy", "val_a.npz"]


@pytest.mark.parametrize("cache", [False, True])
def test_scene_has_all_that_training_reads(root, cache):
    dataset = ScanDataset(root, cache=cache, scale=8)
    for idx, seed in enumerate((1, 2, 3, 4)):
        scene = dataset.get_data(idx)
        shapes = {
            key: (value.dtype.name, value.shape) for key, value in scene.items() if key in ("coord", "color", "normal")
        }
        assert shapes == dict.fromkeys(("coord", "color", "normal"), ("float32", (200, 3)))
        assert scene["coord"] == pytest.approx(sphere(seed=seed) * 8)
        assert (scene["color"] == (30 if idx == 0 else 127.5)).all()
        assert np.linalg.norm(scene["normal"], axis=1) == pytest.approx(1, abs=1e-5)
        assert (scene["instance"] == -1).all() and scene["split"] in ("train", "deep", "val")
    assert (dataset.get_data(2)["segment"] == np.arange(200)).all()


def test_cached_scenes_are_not_written_into(root):
    dataset = ScanDataset(root, cache=True)
    dataset.get_data(0)["coord"] *= 0
    assert dataset.get_data(0)["coord"] == pytest.approx(sphere(seed=1))


def test_normals_of_a_sphere_point_along_the_radius_also_when_thinned():
    coord = sphere(4000)
    full, thinned = scan_normals(coord), scan_normals(coord, max_points=2500)
    assert np.abs((full * coord).sum(axis=1)).min() > 0.95
    assert thinned.shape == (4000, 3) and np.abs((thinned * coord).sum(axis=1)).min() > 0.9


def test_no_scans_names_folder_and_formats(root, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty has no scans; expected \.ply .*coord\.npy"):
        ScanDataset(empty)
    with pytest.raises(FileNotFoundError, match="nosuch does not exist"):
        ScanDataset(tmp_path / "nosuch")
    with pytest.raises(FileNotFoundError, match="test does not exist.*split='test'"):
        ScanDataset(root, split="test")


@pytest.mark.parametrize("coord, message", [(sphere() * np.nan, "200 of 200 points have NaN"), (sphere(3), "3 points")])
def test_unfit_scan_stops_construction_and_is_named(root, coord, message):
    np.save(root / "train/deep/bad.npy", coord)
    with pytest.raises(ValueError, match=rf"bad\.npy: {message}"):
        ScanDataset(root)


def test_scale_must_be_positive(root):
    with pytest.raises(ValueError, match="scale is 0"):
        ScanDataset(root, scale=0)


@pytest.mark.skipif(not (DATA / "unpack.py").exists(), reason="no real scans: set POINTINS_TEST_DATA to their folder")
def test_real_table_tops(tmp_path):
    subprocess.run([sys.executable, DATA / "unpack.py", tmp_path], check=True, capture_output=True)
    dataset = ScanDataset(tmp_path / "mosd", split="val", scale=8)
    assert len(dataset) == 15
    scene = dataset.get_data(0)
    table = scene["instance"] == -1
    assert 20_000 < len(table) < 60_000 and np.ptp(scene["color"]) > 100
    assert np.median(np.abs(scene["normal"][table, 2])) > 0.95, "the table is horizontal"

"""A tree of links, results and rubbish gives each scan once, and says what it left out."""

import os
import warnings

import numpy as np
import pytest

from pointins_ext.datasets import tree
from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.scans import NUM_CHECKED, ScanDataset
from pointins_ext.datasets.tree import RESULT, find_scans
from pointins_ext.errors import ScanWarning, _notices

COORD = np.random.default_rng(0).random((40, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def all_notices():
    _notices.clear()


def names(root):
    return [os.path.relpath(path, root) for path in find_scans(root)]


@pytest.fixture
def scans(tmp_path):
    """z/a.npy and the scene folder z/room."""
    root = tmp_path / "scans"
    (root / "z" / "room").mkdir(parents=True)
    np.save(root / "z" / "a.npy", COORD)
    np.save(root / "z" / "room" / "coord.npy", COORD)
    return root


def test_links_in_circles_lead_to_each_scan_once_under_its_own_path(scans):
    (scans / "z" / "back").symlink_to(scans)
    (scans / "z" / "room" / "up").symlink_to(scans / "z")
    (scans / "b").symlink_to("z")
    (scans / "c.npy").symlink_to("z/a.npy")
    (scans / "itself").symlink_to("itself")
    (scans / "itself.npy").symlink_to("itself.npy")
    with pytest.warns(ScanWarning, match="1 left out .links to nothing.: .*itself.npy"):
        assert names(scans) == ["z/a.npy", "z/room"]
        (scans.parent / "way").symlink_to(scans)
        assert names(scans.parent / "way") == ["z/a.npy", "z/room"]


def test_links_out_of_the_tree_are_followed(scans, tmp_path):
    for name in ("k", "m"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
        np.save(tmp_path / "elsewhere" / name / "far.npy", COORD)
    (scans / "two").symlink_to(tmp_path / "elsewhere")
    (scans / "one").symlink_to(tmp_path / "elsewhere" / "k")
    (scans / "file.npy").symlink_to(tmp_path / "elsewhere" / "m" / "far.npy")
    assert names(scans) == ["one/far.npy", "two/m/far.npy", "z/a.npy", "z/room"]


def test_splits_that_share_a_scan_hold_it_once(scans):
    (scans / "val").mkdir()
    (scans / "val" / "a.npy").symlink_to(scans / "z" / "a.npy")
    assert len(ScanDataset(scans, split="val").data_list) == 1
    assert len(ScanDataset(scans, split=["z", "val"]).data_list) == 2


def test_results_are_no_scans_unless_they_are_named(scans):
    offset = {f"offset_{axis}": COORD[:, 0] for axis in "xyz"}
    write_ply(scans / "new.ply", COORD, comment=RESULT)
    write_ply(scans / "old.ply", COORD, instance=np.zeros(40, int), **offset)
    write_ply(scans / "labeled.ply", COORD, instance=np.zeros(40, int))
    np.savez(scans / "result.npz", instance=np.zeros(40, int), center=COORD[:1], offset=COORD)
    np.savez(scans / "tested.npz", segment=np.zeros(40, int), instance=np.zeros(40, int))
    np.savez(scans / "scan.npz", points=COORD, instance=np.zeros(40, int))
    with pytest.warns(ScanWarning, match="4 left out .results of pointins_ext.: .*new.ply ...$"):
        assert names(scans) == ["labeled.ply", "scan.npz", "z/a.npy", "z/room"]
    assert find_scans(scans / "new.ply") == [str(scans / "new.ply")]


def test_what_is_no_scan(scans):
    (scans / "__MACOSX" / "z").mkdir(parents=True)
    (scans / "half").mkdir()
    for name in ("._a.npy", "__MACOSX/z/a.npy", "x.npy.31.tmp.npy~", "half/color.npy", "half/segment.npy"):
        with open(scans / name, "wb") as file:
            np.save(file, COORD)
    (scans / "TOKEN_lidarseg.bin").write_bytes(bytes(40))
    (scans / "z" / "B.NPY").write_bytes((scans / "z" / "a.npy").read_bytes())
    with pytest.warns(ScanWarning) as said:
        assert names(scans) == ["z/B.NPY", "z/a.npy", "z/room"]
    text = " ".join(str(warning.message) for warning in said)
    assert "2 left out (arrays of a scene without coord.npy)" in text and "1 left out (labels of nuScenes)" in text


def test_voxels_of_semantic_kitti_are_no_scans(tmp_path):
    for folder in ("sequences/00/velodyne", "sequences/00/voxels", "mine/voxels"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "000000.bin").write_bytes(bytes(64))
    with pytest.warns(ScanWarning, match="1 left out .voxel grids of SemanticKITTI.: .*00/voxels/000000.bin$"):
        assert names(tmp_path) == ["mine/voxels/000000.bin", "sequences/00/velodyne/000000.bin"]
    with pytest.warns(ScanWarning, match="voxel grids"):
        assert names(tmp_path / "sequences/00/voxels") == []
    assert len(find_scans(tmp_path / "sequences/00/voxels/000000.bin")) == 1


def test_a_closed_folder_is_said(scans, monkeypatch):
    scandir = os.scandir

    def closed(path):
        if os.path.basename(path) == "z":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    np.save(scans / "b.npy", COORD)
    monkeypatch.setattr(tree.os, "scandir", closed)
    with pytest.warns(ScanWarning, match="1 left out .no permission to read the folder.: .*z$"):
        assert names(scans) == ["b.npy"]


def test_nothing_is_said_of_a_tidy_folder(scans):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names(scans) == ["z/a.npy", "z/room"]
    assert find_scans(scans / "nowhere") == []


def test_names_are_distinct(scans):
    for folder in ("a", "a_b"):
        (scans / folder).mkdir()
    np.save(scans / "a" / "b_c.npy", COORD)
    np.save(scans / "a_b" / "c.npy", COORD)
    np.save(scans / "a_b_c.npy.2.npy", COORD)
    assert ScanDataset(scans).names == ["a_b_c.npy", "a_b_c.npy.3", "a_b_c.npy.2", "z_a", "z_room"]


def test_a_start_opens_a_few_of_many_scans_and_lists_each_folder_once(tmp_path, monkeypatch):
    """The frame of a few scans is checked; no other is read before it is needed, and none is kept."""
    number, folders = 10_000, 100
    for i in range(folders):
        (tmp_path / f"part{i}").mkdir()
        first = tmp_path / f"part{i}" / "0.npy"
        np.save(first, COORD)
        for j in range(1, number // folders):
            os.link(first, first.with_name(f"{j}.npy"))
    opened, listed = [], []
    monkeypatch.setattr("builtins.open", recording(opened, open))
    monkeypatch.setattr(tree.os, "scandir", recording(listed, os.scandir))
    dataset = ScanDataset(tmp_path)
    assert len({*map(str, opened)}) == NUM_CHECKED and len(listed) == len({*map(str, listed)}) == folders + 1
    assert len(dataset) == number and not dataset.scenes and len(set(dataset.names)) == number
    assert dataset.get_data(number - 1)["coord"] == pytest.approx(COORD)
    assert len({*map(str, opened)}) == NUM_CHECKED + 1


def recording(calls, function):
    """`function`, which notes its first argument in `calls`."""

    def recorded(first, *args, **kwargs):
        calls.append(first)
        return function(first, *args, **kwargs)

    return recorded

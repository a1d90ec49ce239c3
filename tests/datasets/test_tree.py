"""A tree of links, results and rubbish gives each scan once, and says what it left out."""

import os
import time
import warnings

import numpy as np
import pytest

from pointins_ext.datasets import tree
from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.scans import ScanDataset
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
    write_ply(scans / "labelled.ply", COORD, instance=np.zeros(40, int))
    np.savez(scans / "result.npz", instance=np.zeros(40, int), center=COORD[:1], offset=COORD)
    np.savez(scans / "tested.npz", segment=np.zeros(40, int), instance=np.zeros(40, int))
    np.savez(scans / "scan.npz", points=COORD, instance=np.zeros(40, int))
    with pytest.warns(ScanWarning, match="4 left out .results of pointins_ext.: .*new.ply ...$"):
        assert names(scans) == ["labelled.ply", "scan.npz", "z/a.npy", "z/room"]
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


def test_ten_thousand_scans_start_in_seconds(tmp_path):
    """Nothing but a few scans is read before it is needed, and none is kept."""
    for i in range(10_000):
        if i % 100 == 0:
            (tmp_path / f"part{i // 100}").mkdir()
            np.save(tmp_path / f"part{i // 100}" / f"{i}.npy", COORD)
        else:
            os.link(tmp_path / f"part{i // 100}" / f"{i // 100 * 100}.npy", tmp_path / f"part{i // 100}" / f"{i}.npy")
    begin = time.perf_counter()
    dataset = ScanDataset(tmp_path)
    assert time.perf_counter() - begin < 20
    assert len(dataset) == 10_000 and not dataset.scenes and len(set(dataset.names)) == 10_000
    assert dataset.get_data(9_999)["coord"] == pytest.approx(COORD)

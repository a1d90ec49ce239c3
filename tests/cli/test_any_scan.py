"""`pointins segment` of scans in any frame, size and format, without a word about them."""

import numpy as np
import plyfile
import pytest
import torch

from pointins_ext.cli.segment import main
from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.errors import ScanWarning, _notices
from tests.fixtures.tiny_predictor import config, trained

TURNED = {  # what brings a scan into the frame in which this axis is up
    "y": lambda coord: coord[:, [0, 2, 1]] * [1, 1, -1],
    "-x": lambda coord: coord[:, [2, 1, 0]] * [-1, 1, 1],
    "-z": lambda coord: coord * [1, -1, -1],
}


@pytest.fixture(autouse=True)
def all_notices():
    _notices.clear()


@pytest.fixture(scope="module")
def weight(tmp_path_factory):
    cfg = config()
    path = tmp_path_factory.mktemp("weight") / "model_last.pth"
    torch.save(dict(state_dict=trained(cfg).state_dict(), config=cfg.to_dict()), path)
    return path


@pytest.fixture(scope="module")
def room():
    return generate_room(7)


def segmented(weight, path, *flags):
    """Fields of the .ply and arrays of the .npz."""
    output = path.parent / "out.ply"
    command = ["--weight", str(weight), "--input", str(path), "--output", str(output), "--min-points", "10"]
    main([*command, "--no-picture", *flags])
    return plyfile.PlyData.read(output)["vertex"], np.load(output.with_suffix(".npz"))


def columns(vertex, *names):
    return np.stack([vertex[name] for name in names], axis=1)


@pytest.mark.parametrize("up", TURNED)
@pytest.mark.parametrize("flag", ["named", "auto"])
def test_results_of_a_turned_scan_are_the_same_in_its_own_frame(weight, room, tmp_path, up, flag):
    write_ply(tmp_path / "room.ply", room["coord"], room["color"])
    upright, arrays = segmented(weight, tmp_path / "room.ply")
    turned = TURNED[up](room["coord"]).astype(np.float32)
    write_ply(tmp_path / "turned.ply", turned, room["color"])
    vertex, found = segmented(weight, tmp_path / "turned.ply", "--up", up if flag == "named" else "auto")
    np.testing.assert_array_equal(columns(vertex, *"xyz"), turned)
    assert (vertex["instance"] == upright["instance"]).mean() > 0.99
    offsets = [columns(v, "offset_x", "offset_y", "offset_z") for v in (upright, vertex)]
    np.testing.assert_allclose(TURNED[up](offsets[0]), offsets[1], atol=1e-2)
    if len(arrays["center"]) == len(found["center"]):
        np.testing.assert_allclose(TURNED[up](arrays["center"]), found["center"], atol=1e-2)


def test_without_a_flag_the_warning_names_the_cure(weight, room, tmp_path):
    write_ply(tmp_path / "turned.ply", TURNED["y"](room["coord"]).astype(np.float32), room["color"])
    with pytest.warns(ScanWarning, match="turned.ply: y looks like the up axis .*--up auto"):
        segmented(weight, tmp_path / "turned.ply")


def test_the_voxel_is_said_in_one_line(weight, room, tmp_path, capsys):
    for scale, line in ((1, "voxel 0.05 m, as in training, which suits"), (0.1, "voxel 0.003 m, from its spacing of")):
        write_ply(tmp_path / "a.ply", room["coord"] * np.float32(scale), room["color"])
        segmented(weight, tmp_path / "a.ply")
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 and lines[0].startswith(f"{tmp_path / 'a.ply'}: {line}"), lines
    segmented(weight, tmp_path / "a.ply", "--grid-size", "0.004")
    assert "voxel 0.004 m, as given" in capsys.readouterr().out


def test_a_smaller_copy_of_a_scan_has_the_same_instances_at_its_voxel(weight, room, tmp_path):
    """The instances where planes are sought by shares of the extent, 1.5 to 3 m; beyond, limits in meters set in."""
    coord = room["coord"] * np.float32(2.9 / np.ptp(room["coord"], axis=0).max())
    for size, grid in ((1, "0.04"), (0.5, "0.02"), (0.125, "0.005")):
        write_ply(tmp_path / f"{size}.ply", coord * np.float32(size), room["color"])
        vertex, arrays = segmented(weight, tmp_path / f"{size}.ply", "--grid-size", grid)
        if size == 1:
            large, expected = vertex, arrays
        np.testing.assert_allclose(large["offset_x"], vertex["offset_x"] / size, atol=1e-4)
        if size == 0.5:
            assert (large["instance"] == vertex["instance"]).mean() > 0.999  # normals are rounded otherwise
            np.testing.assert_array_equal(expected["stuff"], arrays["stuff"])
            np.testing.assert_allclose(expected["score"], arrays["score"], atol=1e-2)
            assert 0 < expected["stuff"].sum() < len(expected["stuff"])


def test_text_is_segmented_as_a_file_of_the_same_points(weight, room, tmp_path):
    write_ply(tmp_path / "a.ply", room["coord"], room["color"])
    expected, _ = segmented(weight, tmp_path / "a.ply")
    table = np.column_stack([room["coord"].astype(np.float64), np.rint(room["color"])])
    np.savetxt(tmp_path / "b.csv", table, "%.9g", ",", header="X,Y,Z,R,G,B", comments="")
    found, _ = segmented(weight, tmp_path / "b.csv")
    assert (expected["instance"] == found["instance"]).mean() > 0.99


def test_large_pictures_show_a_sample(weight, room, tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    assert matplotlib
    import pointins_ext.cli.scan_files as module

    shown = []
    monkeypatch.setattr(module, "MAX_SHOWN", 1000)
    monkeypatch.setattr(module, "render_points", lambda coord, color: shown.append(len(coord)) or color[:1, None])
    monkeypatch.setattr(module, "panel", lambda *arguments: None)
    write_ply(tmp_path / "a.ply", room["coord"], room["color"])
    main(["--weight", str(weight), "--input", str(tmp_path / "a.ply"), "--output", str(tmp_path / "o.ply")])
    assert shown == [shown[0]] * 2 and 500 < shown[0] <= 1000

"""Round trips of every key through every scan format, and what is said about broken files."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.datasets.readers import read_scan, write_ply

laspy, plyfile, pypcd4 = (pytest.importorskip(name) for name in ("laspy", "plyfile", "pypcd4"))
N = 40


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(N, 3))
    return dict(
        coord=rng.uniform(-5, 5, (N, 3)).astype(np.float32),
        color=rng.integers(0, 256, (N, 3)).astype(np.float32),
        normal=(normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        strength=rng.random((N, 1)).astype(np.float32),
        segment=rng.integers(-1, 5, N).astype(np.int32),
        instance=rng.integers(-1, 9, N).astype(np.int32),
    )


def write_ply_scan(path, scan):
    normal = dict(zip(("nx", "ny", "nz"), scan["normal"].T, strict=True))
    labels = dict(segment=scan["segment"], instance=scan["instance"])
    write_ply(path, scan["coord"], scan["color"], intensity=scan["strength"][:, 0], **normal, **labels)


def write_pcd_scan(path, scan, encoding="binary_compressed"):
    rgb = pypcd4.PointCloud.encode_rgb(scan["color"].astype(np.uint8)).reshape(-1)
    columns = [*scan["coord"].T, rgb, *scan["normal"].T, scan["strength"][:, 0], scan["segment"], scan["instance"]]
    names = ("x", "y", "z", "rgb", "normal_x", "normal_y", "normal_z", "intensity", "label", "instance")
    types = [np.float32] * 8 + [np.int32] * 2
    if encoding == "ascii":  # packed colours are denormal floats, which pypcd4 writes as text 0.0
        columns[3], types[3] = rgb.view(np.uint32), np.uint32
    pypcd4.PointCloud.from_points(columns, names, types).save(path, pypcd4.Encoding(encoding))


def write_las_scan(path, scan):
    las = laspy.create(point_format=7, file_version="1.4")
    las.header.scales = [1e-6] * 3
    las.x, las.y, las.z = scan["coord"].astype(np.float64).T
    las.red, las.green, las.blue = (scan["color"].T * 257).astype(np.uint16)
    las.intensity = np.rint(scan["strength"][:, 0] * 65535).astype(np.uint16)
    columns = dict(zip(("NormalX", "NormalY", "NormalZ"), scan["normal"].T, strict=True))
    columns |= dict(sem_label=scan["segment"], treeID=scan["instance"])
    las.add_extra_dims([laspy.ExtraBytesParams(name, value.dtype) for name, value in columns.items()])
    for name, value in columns.items():
        las[name] = value
    las.write(str(path))


def write_ascii_ply(path, scan):
    write_ply_scan(path, scan)
    data = plyfile.PlyData.read(str(path), mmap=False)
    data.text = True
    data.write(str(path))


def records(scan):
    """A table of named columns, as np.save takes it from other readers."""
    columns = dict(zip("xyz", scan["coord"].T, strict=True)) | dict(zip("rgb", scan["color"].T, strict=True))
    columns |= dict(zip(("nx", "ny", "nz"), scan["normal"].T, strict=True))
    columns |= dict(intensity=scan["strength"][:, 0], label=scan["segment"], object_id=scan["instance"])
    table = np.empty(len(scan["coord"]), [(name, value.dtype) for name, value in columns.items()])
    for name, value in columns.items():
        table[name] = value
    return table


def write_folder_scan(path, scan):
    path.mkdir()
    for key, value in scan.items():
        np.save(path / f"{key}.npy", value)


ALL = {"coord", "color", "normal", "strength", "segment", "instance"}
FORMATS = {
    "scan.ply": (write_ply_scan, ALL),
    "SCAN.PLY": (write_ply_scan, ALL),
    "scan.pcd": (write_pcd_scan, ALL),
    "ascii.pcd": (lambda path, scan: write_pcd_scan(path, scan, "ascii"), ALL),
    "ascii.ply": (write_ascii_ply, ALL),
    "binary.pcd": (lambda path, scan: write_pcd_scan(path, scan, "binary"), ALL),
    "scan.las": (write_las_scan, ALL),
    "scan.laz": (write_las_scan, ALL),
    "records.npy": (lambda path, scan: np.save(path, records(scan)), ALL),
    "table.npz": (lambda path, scan: np.savez(path, np.hstack([scan["coord"], scan["color"]])), {"coord", "color"}),
    "xyzn.npy": (lambda path, scan: np.save(path, np.hstack([scan["coord"], scan["normal"]])), {"coord", "normal"}),
    "scan.npz": (lambda path, scan: np.savez(path, **scan), ALL),
    "xyz.npy": (lambda path, scan: np.save(path, scan["coord"]), {"coord"}),
    "xyzs.npy": (lambda path, scan: np.save(path, np.hstack([scan["coord"], scan["strength"]])), {"coord", "strength"}),
    "xyzrgb.npy": (lambda path, scan: np.save(path, np.hstack([scan["coord"], scan["color"]])), {"coord", "color"}),
    "xyzrgbn.npy": (
        lambda path, scan: np.save(path, np.hstack([scan["coord"], scan["color"] / 255, scan["normal"]])),
        {"coord", "color", "normal"},
    ),
    "kitti.bin": (
        lambda path, scan: np.hstack([scan["coord"], scan["strength"]]).tofile(path),
        {"coord", "strength"},
    ),
    "nuscenes.pcd.bin": (
        lambda path, scan: np.hstack([scan["coord"], scan["strength"] * 255, scan["strength"]]).tofile(path),
        {"coord", "strength"},
    ),
    "folder": (write_folder_scan, ALL),
}


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip(name, scan, tmp_path):
    write, keys = FORMATS[name]
    write(tmp_path / name, scan)
    read = read_scan(tmp_path / name)
    assert set(read) == keys | {"coord_shift"} and (read["coord_shift"] == 0).all()
    for key in keys:
        assert read[key].dtype == scan[key].dtype and read[key] == pytest.approx(
            scan[key], abs=2e-5 if key != "color" else 1e-3
        )


def test_other_spellings_of_the_same(scan, tmp_path):
    np.savez(tmp_path / "a.npz", points=scan["coord"], colors=scan["color"] / 255, labels=scan["segment"])
    read = read_scan(tmp_path / "a.npz")
    assert read["color"] == pytest.approx(scan["color"], abs=1e-3) and (read["segment"] == scan["segment"]).all()
    write_ply(tmp_path / "cloudcompare.ply", scan["coord"], scalar_Intensity=scan["strength"][:, 0])
    assert (read_scan(tmp_path / "cloudcompare.ply")["strength"] == scan["strength"]).all()


def test_las_with_eight_bit_colours_in_its_sixteen_bit_fields(scan, tmp_path):
    write_las_scan(tmp_path / "a.las", dict(scan, color=scan["color"] * 0, strength=scan["strength"] * 0))
    read = read_scan(tmp_path / "a.las")
    assert "color" not in read and "strength" not in read
    las = laspy.read(tmp_path / "a.las")
    las.red, las.green, las.blue = scan["color"].T.astype(np.uint16)
    las.write(str(tmp_path / "a.las"))
    assert read_scan(tmp_path / "a.las")["color"] == pytest.approx(scan["color"], abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(origin=st.tuples(*[st.floats(-5e6, 5e6)] * 3))
def test_large_coordinates_are_centred_before_float32(origin, tmp_path_factory):
    coord = np.random.default_rng(0).uniform(-5, 5, (N, 3)) + origin
    path = tmp_path_factory.mktemp("utm") / "utm.ply"
    write_ply(path, coord)
    read = read_scan(path)
    assert read["coord"].dtype == np.float32 and read["coord_shift"].dtype == np.float64
    assert np.abs(read["coord"] + read["coord_shift"] - coord).max() < 1e-4
    assert np.abs(read["coord"]).max() < 1001


def test_written_ply_is_read_by_the_library(scan, tmp_path):
    write_ply(tmp_path / "a.ply", scan["coord"], scan["color"] - 0.4, instance=scan["instance"])
    vertex = plyfile.PlyData.read(str(tmp_path / "a.ply"))["vertex"]
    assert [p.name for p in vertex.properties] == ["x", "y", "z", "red", "green", "blue", "instance"]
    assert (vertex["x"] == scan["coord"][:, 0]).all() and (vertex["red"] == scan["color"][:, 0]).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.ply"]
    with pytest.raises(ValueError, match=r"a\.ply.*instance.*expected \(40,\)"):
        write_ply(tmp_path / "a.ply", scan["coord"], instance=scan["instance"][1:])


# what is wrong with this scan?


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda scan: dict(scan, coord=scan["coord"] * np.nan), "40 of 40 points have NaN or Inf in coord"),
        (lambda scan: {key: value[:3] for key, value in scan.items()}, "3 points, expected at least 10"),
        (lambda scan: dict(scan, coord=scan["coord"][:, :2]), r"coord has shape \(40, 2\), expected \(N, 3\)"),
        (lambda scan: dict(scan, color=scan["color"][:, 0]), r"color has shape \(40,\), expected \(N, 3\)"),
        (lambda scan: dict(scan, segment=scan["segment"][5:]), "segment has 35 rows, expected 40"),
        (lambda scan: {"color": scan["color"]}, "no coordinates, found"),
    ],
)
def test_unfit_scan_names_file_found_and_expected(scan, change, message, tmp_path):
    path = tmp_path / "broken.npz"
    np.savez(path, **change(scan))
    with pytest.raises(ValueError, match=rf"broken\.npz: .*{message}"):
        read_scan(path)


@pytest.mark.parametrize("name", ["scan.ply", "scan.pcd", "scan.las", "scan.laz", "scan.npz", "xyz.npy", "kitti.bin"])
def test_truncated_file_is_named(name, scan, tmp_path):
    path = tmp_path / name
    FORMATS[name][0](path, scan)
    path.write_bytes(path.read_bytes()[:-37])
    with pytest.raises(ValueError, match=rf"{name}: cannot be read"):
        read_scan(path)


def test_unknown_format_and_missing_file(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0")
    with pytest.raises(ValueError, match=r"a\.obj.*expected one of \.ply \.pcd \.las"):
        read_scan(tmp_path / "a.obj")
    with pytest.raises(FileNotFoundError, match="nosuch.ply"):
        read_scan(tmp_path / "nosuch.ply")
    np.save(tmp_path / "a.npy", np.zeros((20, 7)))
    with pytest.raises(ValueError, match=r"a\.npy: a table of 7 columns, expected 3, 4, 6 or 9; .*segment=a\[:, 6\]"):
        read_scan(tmp_path / "a.npy")


def test_missing_library_says_how_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.pcd").write_text("VERSION 0.7")
    monkeypatch.setitem(sys.modules, "pypcd4", None)
    with pytest.raises(ImportError, match=r"pip install 'pointins_ext\[scans\]'"):
        read_scan(tmp_path / "a.pcd")

"""Round trips of every key through every scan format, and what is said about broken files."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.datasets.readers import read_scan, write_ply
from pointins_ext.errors import ScanWarning

N = 40  # points of `scan`

laspy, plyfile, pypcd4 = (pytest.importorskip(name) for name in ("laspy", "plyfile", "pypcd4"))


def write_ply_scan(path, scan):
    normal = dict(zip(("nx", "ny", "nz"), scan["normal"].T, strict=True))
    labels = dict(segment=scan["segment"], instance=scan["instance"])
    write_ply(path, scan["coord"], scan["color"], intensity=scan["strength"][:, 0], **normal, **labels)


def write_pcd_scan(path, scan, encoding="binary_compressed"):
    rgb = pypcd4.PointCloud.encode_rgb(scan["color"].astype(np.uint8)).reshape(-1)
    columns = [*scan["coord"].T, rgb, *scan["normal"].T, scan["strength"][:, 0], scan["segment"], scan["instance"]]
    names = ("x", "y", "z", "rgb", "normal_x", "normal_y", "normal_z", "intensity", "label", "instance")
    types = [np.float32] * 8 + [np.int32] * 2
    if encoding == "ascii":  # packed colors are denormal floats, which pypcd4 writes as text 0.0
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


def test_las_with_eight_bit_colors_in_its_sixteen_bit_fields(scan, tmp_path):
    write_las_scan(tmp_path / "a.las", dict(scan, color=scan["color"] * 0, strength=scan["strength"] * 0))
    read = read_scan(tmp_path / "a.las")
    assert "color" not in read and "strength" not in read  # zeros, as writers fill in for what they have not
    las = laspy.read(tmp_path / "a.las")
    las.red, las.green, las.blue = scan["color"].T.astype(np.uint16)
    las.write(str(tmp_path / "a.las"))
    assert read_scan(tmp_path / "a.las")["color"] == pytest.approx(scan["color"], abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(origin=st.tuples(*[st.floats(-5e6, 5e6)] * 3))
def test_large_coordinates_are_centered_before_float32(origin, tmp_path_factory):
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


# columns that are guessed


def test_classification_of_las_is_the_last_resort(scan, tmp_path):
    def read(classes, **extra):
        las = laspy.create(point_format=6, file_version="1.4")
        las.header.scales = [1e-6] * 3
        las.x, las.y, las.z = scan["coord"].astype(np.float64).T
        las.classification = classes
        for name, value in extra.items():
            las.add_extra_dim(laspy.ExtraBytesParams(name, value.dtype))
            las[name] = value
        las.write(str(tmp_path / "a.las"))
        return read_scan(tmp_path / "a.las").get("segment")

    classes = np.arange(len(scan["coord"])) % 4
    assert (read(classes) == classes).all() and (read(classes, label=scan["segment"]) == scan["segment"]).all()
    assert read(classes * 0) is None
    with pytest.warns(ScanWarning, match="a.las: classification is 0 or 1"):
        assert read(classes % 2) is None


# whole files that libraries refuse


@pytest.mark.parametrize("comment", ["Straße, Gebäude".encode(), "Straße".encode("latin-1")])
@pytest.mark.parametrize("name", ["scan.ply", "ascii.ply", "scan.pcd", "ascii.pcd"])
def test_comments_in_any_encoding(comment, name, scan, tmp_path):
    path = tmp_path / name
    FORMATS[name][0](path, scan)
    first, rest = path.read_bytes().split(b"\n", 1)
    mark = b"comment " if name.endswith("ply") else b"# "
    path.write_bytes(b"\n".join([first, mark + comment, rest]))
    read = read_scan(path)
    assert read["coord"] == pytest.approx(scan["coord"], abs=1e-5) and (read["segment"] == scan["segment"]).all()


def test_lists_of_a_vertex_are_left_out(scan, tmp_path):
    rows = "".join(f"{x} {y} {z} 2 7 8\n" for x, y, z in scan["coord"])
    names = "".join(f"property float {name}\n" for name in "xyz") + "property list uchar int neighbors\n"
    head = f"ply\nformat ascii 1.0\nelement vertex {N}\n{names}end_header\n"
    (tmp_path / "a.ply").write_text(head + rows)
    assert read_scan(tmp_path / "a.ply")["coord"] == pytest.approx(scan["coord"], abs=1e-5)


def pcd_header(fields, sizes, types, counts="", more=""):
    counts = f"COUNT {counts}\n" if counts else ""
    return f"FIELDS {fields}\nSIZE {sizes}\nTYPE {types}\n{counts}WIDTH {N}\nHEIGHT 1\n{more}"


@pytest.mark.parametrize("rgb", ["F", "U", "I"])
def test_pcd_with_padding_counts_doubles_and_packed_colors(rgb, scan, tmp_path):
    table = np.zeros(N, [("xyz", "<f8", 3), ("p", "u1", 3), ("normal", "<f4", 3), ("rgb", "<u4"), ("q", "u1", 5)])
    table["xyz"], table["normal"] = scan["coord"], scan["normal"]
    table["rgb"] = scan["color"].astype(np.uint32) @ np.array([65536, 256, 1], np.uint32) | 0xFF000000 * (rgb == "U")
    header = pcd_header("x y z _ normal rgb _", "8 8 8 1 4 4 1", f"F F F U F {rgb} U", "1 1 1 3 3 1 5")
    (tmp_path / "a.pcd").write_bytes(header.encode() + b"DATA binary\n" + table.tobytes())
    read = read_scan(tmp_path / "a.pcd")
    for key in ("coord", "color", "normal"):
        assert read[key] == pytest.approx(scan[key], abs=1e-6)


def test_pcd_as_text_with_other_spacing_and_a_short_header(scan, tmp_path):
    rows = "".join(f" {x}  {y}\t{z}\r\n" for x, y, z in scan["coord"])
    (tmp_path / "a.pcd").write_text(pcd_header("x y z", "4 4 4", "F F F") + "DATA ascii\n" + rows)
    assert read_scan(tmp_path / "a.pcd")["coord"] == pytest.approx(scan["coord"], abs=1e-5)


@pytest.mark.parametrize("data", ["binary", "ascii"])
def test_a_pcd_file_cut_between_two_points_is_incomplete(data, scan, tmp_path):
    write_pcd_scan(tmp_path / "a.pcd", scan, data)
    content = (tmp_path / "a.pcd").read_bytes()
    size = 40 if data == "binary" else len(content.splitlines(keepends=True)[-1])
    (tmp_path / "a.pcd").write_bytes(content[:-size])
    with pytest.raises(ValueError, match="a.pcd: cannot be read: 39 of 40 points are there; is the file complete"):
        read_scan(tmp_path / "a.pcd")


@pytest.mark.parametrize(
    "name, write, message",
    [
        ("a.npy", lambda path: np.save(path, np.zeros((20, 7))), "7 columns"),
        ("a.npz", lambda path: np.savez(path, pc=np.zeros((20, 3))), "found 'pc'"),
        ("a.npy", lambda path: np.save(path, {}), "Object arrays"),
        ("a.npz", lambda path: np.savez(path, coord=np.array([{}], dtype=object)), "Object arrays"),
        ("a.ply", lambda path: path.write_text("1 2 3\n"), "expected 'ply' in its first line"),
        ("a.ply", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        ("a.las", lambda path: laspy.create().write(str(path)), "0 points"),
    ],
)
def test_a_whole_file_is_not_called_incomplete(name, write, message, tmp_path):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}") as error:
        read_scan(tmp_path / name)
    assert "complete" not in str(error.value)


def test_laz_without_its_backend_says_what_to_install(scan, tmp_path, monkeypatch):
    write_las_scan(tmp_path / "a.laz", scan)
    monkeypatch.setattr(laspy.LazBackend, "detect_available", lambda: ())
    with pytest.raises(ImportError, match=r"a\.laz: reading \.laz needs lazrs: pip install 'pointins_ext\[scans\]'"):
        read_scan(tmp_path / "a.laz")


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

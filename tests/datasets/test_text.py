"""Text scans in the ways that programs write them, and errors that name the line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.text import TEXT, is_text_scan
from pointins_ext.datasets.tree import find_scans
from pointins_ext.errors import ScanWarning, UserError

NUMBERS = dict(x=("coord", 0), y=("coord", 1), z=("coord", 2), r=("color", 0), g=("color", 1), b=("color", 2))
NUMBERS |= dict(nx=("normal", 0), ny=("normal", 1), nz=("normal", 2), intensity=("strength", 0))


def write(path, table, head="", separator=" ", **options):
    with open(path, "w", **options) as file:
        file.write(head)
        np.savetxt(file, table, delimiter=separator, fmt="%.8g")
    return path


def table_of(scan, names):
    return np.stack([scan[NUMBERS[name][0]][:, NUMBERS[name][1]] for name in names], axis=1)


@settings(deadline=None, max_examples=30)
@given(
    order=st.permutations(list(NUMBERS)),
    separator=st.sampled_from([" ", ",", ";", "\t", ", ", "  "]),
    case=st.sampled_from([str.upper, str.lower, str.title]),
    comment=st.sampled_from(["", "#", "//", "# "]),
    before=st.sampled_from(["", "# made by hand\n\n", "// 40 points\n"]),
    suffix=st.sampled_from(TEXT),
)
def test_named_columns_in_any_order_case_and_separator(
    tmp_path_factory, order, separator, case, comment, before, suffix
):
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(40, 3))
    scan = dict(coord=rng.uniform(-5, 5, (40, 3)), color=rng.integers(0, 256, (40, 3)), strength=rng.random((40, 1)))
    scan["normal"] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    names = [*order[:5], "Scan Angle" if separator.strip() else "gps_time", *order[5:]]
    table = np.insert(table_of(scan, order), 5, 7.5, axis=1)
    head = before + comment + separator.join(map(case, names)) + "\n"
    path = write(tmp_path_factory.mktemp("text") / f"scan{suffix}", table, head, separator)
    assert is_text_scan(path)
    read = read_scan(path)
    assert set(read) == {*scan, "coord_shift"}
    for key, value in scan.items():
        assert read[key] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
@pytest.mark.parametrize("suffix", [".txt", ".xyz", ".csv", ".asc"])
def test_columns_without_names_are_those_of_a_table(scan, tmp_path, suffix, separator):
    table = table_of(scan, "xyzrgb")
    path = write(tmp_path / f"a{suffix}", table, separator=separator)
    with pytest.warns(ScanWarning, match="6 columns, taken for coord color"):
        read = read_scan(path)
    assert read["coord"] == pytest.approx(scan["coord"], abs=1e-5) and (read["color"] == scan["color"]).all()
    assert set(read_scan(write(tmp_path / f"b{suffix}", table[:, :3]))) == {"coord", "coord_shift"}
    with pytest.raises(UserError, match=f"c{suffix}: cannot be read: 5 columns without names; name the .*x y z r g b"):
        read_scan(write(tmp_path / f"c{suffix}", table[:, :5]))


@pytest.mark.parametrize("names", ["xyz", ["x", "y", "z", "intensity"], "xyzrgb", [*"xyz", "intensity", *"rgb"]])
@pytest.mark.parametrize("counted", [True, False])
def test_pts_of_leica(scan, tmp_path, names, counted):
    path = write(tmp_path / "a.pts", table_of(scan, names), "40\n" if counted else "")
    read = read_scan(path)
    wanted = {NUMBERS[name][0] for name in names}
    assert set(read) == {*wanted, "coord_shift"} and is_text_scan(path)
    for key in wanted:
        assert read[key] == pytest.approx(scan[key], abs=1e-4)


def test_comments_blank_lines_line_ends_and_marks(scan, tmp_path):
    rows = [" ".join(map(str, row)) for row in scan["coord"].tolist()]
    rows[3:3] = ["# a comment", "", "// another"]
    rows[9] += " # the tenth"
    (tmp_path / "a.xyz").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert (read_scan(tmp_path / "a.xyz")["coord"] == scan["coord"]).all()


def test_coordinates_of_maps_keep_their_digits(scan, tmp_path):
    coord = scan["coord"].astype(np.float64) + [512_000, 5_400_000, 300]
    np.savetxt(tmp_path / "a.xyz", coord, fmt="%.4f")
    read = read_scan(tmp_path / "a.xyz")
    np.testing.assert_allclose(read["coord"] + read["coord_shift"], coord, rtol=0, atol=1e-4)


GOOD = "1 2 3\n" * 20
BROKEN = {
    "words in the middle": (GOOD + "1 2 abc\n" + GOOD, "line 21: found '1 2 abc', expected 3 numbers as in line 1"),
    "a row too short": ("# head\n" + GOOD + "1 2\n", "line 22: found '1 2', expected 3 numbers as in line 2"),
    "a row too long": (GOOD + "\n1 2 3 4\n", "line 22: found '1 2 3 4', expected 3 numbers"),
    "an empty cell": ("x,y,z\n" + "1,2,3\n" * 9 + "1,,3\n", "line 11: found '1,,3', expected 3 numbers as in line 2"),
    "words first": ("dear reader\n" + GOOD, "line 1: found 'dear reader', expected numbers or names of columns"),
    "a raster": ("ncols 4\nnrows 5\n1 2 3 4\n", "line 1: found 'ncols 4', expected numbers or names"),
    "two columns": ("1 2\n" * 20, "line 1: found '1 2', expected x y z"),
    "decimal commas": ("1,5;2,5;3,5\n" * 20, "line 1: found '1,5;2,5;3,5', expected numbers"),
    "only comments": ("# nothing\n", "no line of numbers"),
    "names of other columns": ("x y z r\n" + GOOD, r"its header names 4 columns \(x y z r\), its rows have 3"),
    "fewer than it says": ("50\n" + GOOD, "its first line says 50 points, it has 20; is the file complete"),
    "binary": ("1 2 3\n\x00\x01\n", "line 2: found"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_its_line(tmp_path, case):
    text, message = BROKEN[case]
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=f"a.txt: cannot be read: {message}"):
        read_scan(path)


def test_text_that_is_no_scan_is_left_out_of_a_folder(scan, tmp_path):
    write(tmp_path / "a.txt", scan["coord"])
    write(tmp_path / "b.csv", scan["coord"], "x,y,z\n", ",")
    others = {
        "README.txt": "all about it\n",
        "calib.txt": "P0: 1 2 3 4\n",
        "poses.txt": "1 0 0 0 0 1 0 0 0 0 1 0\n" * 30,
        "times.txt": "1.0\n2.0\n",
        "labels.csv": "id,name\n1,chair\n",
        "empty.txt": "",
    }
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    with pytest.warns(ScanWarning, match="6 left out .text that begins with no point; name the columns"):
        found = find_scans(tmp_path)
    assert found == [str(tmp_path / "a.txt"), str(tmp_path / "b.csv")]

"""Which array of a file is what."""

import numpy as np
import pytest

from pointins_ext.datasets.readers import read_scan
from pointins_ext.errors import ScanWarning


@pytest.mark.parametrize(
    "columns, keys",
    [
        (("coord", "strength"), "strength"),
        (("coord", "color"), "color"),
        (("coord", "normal"), "normal"),
        (("coord", "color", "normal"), "color normal"),
        (("coord", "normal", "color"), "normal color"),
    ],
)
@pytest.mark.parametrize("write", [np.save, np.savez])
def test_a_table_is_told_by_its_columns_and_said(columns, keys, write, scan, tmp_path):
    path = tmp_path / ("a.npy" if write is np.save else "a.npz")
    write(path, np.hstack([scan[key] for key in columns]))
    with pytest.warns(ScanWarning, match=rf"{path.name}: .* columns, taken for .*{keys}.*np\.savez\('scan\.npz'"):
        read = read_scan(path)
    for key in columns:
        assert read[key] == pytest.approx(scan[key], abs=1e-4)


def test_nine_columns_of_pointnet_have_normalized_coordinates_not_normals(scan, tmp_path):
    place = (scan["coord"] - scan["coord"].min(0)) / np.ptp(scan["coord"], axis=0)
    np.save(tmp_path / "a.npy", np.hstack([scan["coord"], scan["color"], place]))
    with pytest.warns(ScanWarning, match=r"a\.npy: columns 7 to 9 .* normalized coordinates, left out"):
        assert set(read_scan(tmp_path / "a.npy")) == {"coord", "coord_shift", "color"}


def test_unit_rows_without_a_sign_are_colors_or_normals(scan, tmp_path):
    np.save(tmp_path / "a.npy", np.hstack([scan["coord"], np.eye(3)[np.arange(len(scan["coord"])) % 3]]))
    with pytest.raises(ValueError, match="a.npy: columns 4 to 6 can be pure colors or normals along the axes; .*savez"):
        read_scan(tmp_path / "a.npy")


def test_of_two_names_for_labels_the_one_that_is_used_is_said(scan, tmp_path):
    np.savez(tmp_path / "a.npz", coord=scan["coord"], semantic=scan["segment"] * 0, label=scan["segment"])
    with pytest.warns(ScanWarning, match="a.npz: label and semantic can all be segment; label is used"):
        assert (read_scan(tmp_path / "a.npz")["segment"] == scan["segment"]).all()


def test_names_of_a_folder_are_those_of_files(scan, tmp_path):
    path = tmp_path / "scene"
    path.mkdir()
    for name, key in dict(coord="coord", colors="color", label="segment", object_id="instance").items():
        np.save(path / f"{name}.npy", scan[key])
    np.save(path / "notes.npy", np.array([{}], dtype=object))
    assert set(read_scan(path)) == {"coord", "coord_shift", "color", "segment", "instance"}
    (path / "coord.npy").rename(path / "place.npy")
    with pytest.raises(ValueError, match="scene: no coordinates, found .*'notes', .*'place'; .*rename it"):
        read_scan(path)

"""Stations of a .e57 become one scan; without pye57 the error says what to install."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pointins_ext.datasets.readers import read_scan

RNG = np.random.default_rng(0)


def station(number, **more):
    return dict(zip(("cartesianX", "cartesianY", "cartesianZ"), RNG.uniform(-5, 5, (3, number)), strict=True)) | more


def colors(number):
    return dict(zip(("colorRed", "colorGreen", "colorBlue"), RNG.integers(1, 256, (3, number)), strict=True))


@pytest.fixture
def library(monkeypatch):
    """A pye57 that reads what the test puts into `scans`."""
    fake = SimpleNamespace(scans=[], closed=False)

    class E57:
        def __init__(self, path):
            self.scan_count = len(fake.scans)

        def read_scan(self, number, intensity, colors, ignore_missing_fields):
            assert intensity and colors and ignore_missing_fields
            return fake.scans[number]

        def close(self):
            fake.closed = True

    fake.E57 = E57
    monkeypatch.setitem(sys.modules, "pye57", fake)
    return fake


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.e57").write_bytes(b"ASTM-E57")
    return tmp_path / "a.e57"


def test_all_stations_are_one_scan(library, path):
    library.scans = [station(30, **colors(30)), station(20)]
    read = read_scan(path)
    x = np.concatenate([scan["cartesianX"] for scan in library.scans])
    np.testing.assert_allclose(read["coord"][:, 0], x, rtol=1e-6)
    assert (read["color"][:30, 1] == library.scans[0]["colorGreen"]).all() and library.closed
    assert set(read) == {"coord", "coord_shift", "color"}


def test_a_file_without_stations(library, path):
    with pytest.raises(ValueError, match="a.e57: no coordinates"):
        read_scan(path)


def test_without_the_library(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "pye57", None)
    with pytest.raises(ImportError, match=r"a.e57: reading .e57 needs pye57: pip install 'pointins_ext\[e57\]'"):
        read_scan(path)


def test_the_library_itself(tmp_path):
    pye57 = pytest.importorskip("pye57")
    file = pye57.E57(str(tmp_path / "a.e57"), mode="w")
    scans = [station(30), station(20)]
    shift = np.array([10.0, -20, 3])
    for scan in scans:
        fields = scan | {name: value.astype(np.uint8) for name, value in colors(len(scan["cartesianX"])).items()}
        fields["intensity"] = RNG.random(len(scan["cartesianX"]))
        file.write_scan_raw(fields, translation=shift)
    file.close()
    read = read_scan(tmp_path / "a.e57")
    z = np.concatenate([scan["cartesianZ"] for scan in scans]) + shift[2]
    np.testing.assert_allclose(read["coord"][:, 2], z, atol=1e-5)
    assert set(read) == {"coord", "coord_shift", "color", "strength"}

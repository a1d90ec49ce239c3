"""How many float32 numbers are a point, told from the numbers alone."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.strides import float_columns
from pointins_ext.errors import ScanWarning

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()


def sweep(number=3000, seed=0):
    """x y z strength ring time, as a LiDAR gives them."""
    rng = np.random.default_rng(seed)
    angle, distance = rng.uniform(0, 2 * np.pi, number), rng.gamma(2, 8, number)
    ring = np.arange(number) % 32
    columns = (distance * np.cos(angle), distance * np.sin(angle), distance * (ring - 24) / 60)
    return np.stack([*columns, rng.random(number) ** 2, ring, np.sort(rng.random(number)) / 10], 1).astype(np.float32)


@pytest.mark.parametrize("stated", [4, 5])
@pytest.mark.parametrize("width", [3, 4, 5, 6])
@pytest.mark.parametrize("order", ["as measured", "at random", "every third is NaN"])
def test_the_width_is_found_in_any_order(width, stated, order):
    table = sweep()[:, :width]
    if order == "at random":
        table = np.random.default_rng(1).permutation(table)
    elif order == "every third is NaN":
        table[::3, :3] = np.nan
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        columns = float_columns(table.reshape(-1), "a.bin", stated)
    np.testing.assert_array_equal(columns["coord"], table[:, :3])
    if width > 3:
        np.testing.assert_array_equal(columns["strength"], table[:, 3])
    assert bool(said) == (width != stated)


@pytest.mark.parametrize("factor, kind", [(1, np.float32), (255, np.uint8)])
def test_strength_of_whole_bytes_states_its_range(factor, kind):
    table = sweep()[:, :5]
    table[:, 3] = np.rint(table[:, 3] * 255) / 255 * factor
    assert float_columns(table.reshape(-1), "a.pcd.bin", 5)["strength"].dtype == kind


@pytest.mark.parametrize(
    "content, message",
    [
        (sweep()[:, :4].astype(np.float64), "holds float64 numbers, expected float32"),
        (np.rint(sweep()[:, :4]).astype(np.float64), "holds float64 numbers, expected float32"),
        (np.random.default_rng(0).integers(0, 2**32, 4000, np.uint32), "no float32 coordinates"),
        (np.arange(4000, dtype=np.uint32), "no float32 coordinates"),
        (np.hstack([sweep(), sweep(seed=1)[:, 3:] * 9 + 50]), "seems to have 9 numbers a point, expected 3 to 6"),
        (sweep()[:, :4].reshape(-1)[:-2], "11998 float32 numbers, expected a multiple of 4; is the file complete"),
        (np.random.default_rng(0).random((2000, 3), np.float32), "6000 float32 numbers can be rows of 3 or 4 or 5"),
    ],
)
def test_other_content_is_refused_with_the_cure(content, message, tmp_path):
    content.tofile(tmp_path / "a.bin")
    with pytest.raises(ValueError, match=rf"a\.bin: .*{message}"):
        read_scan(tmp_path / "a.bin")


@pytest.mark.skipif(
    not (DATA / "semantickitti").exists(), reason="no real scans: set POINTINS_TEST_DATA to their folder"
)
def test_a_real_sweep(tmp_path):
    sweep = np.fromfile(next((DATA / "semantickitti").rglob("*.bin")), np.float32).reshape(-1, 4)[:120_000]
    for width in (3, 4, 5, 6):
        table = np.hstack([sweep, np.arange(len(sweep))[:, None] // 2000, np.zeros((len(sweep), 1))])[:, :width]
        table.astype(np.float32).tofile(tmp_path / "a.bin")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if width != 4 else "error", ScanWarning)
            np.testing.assert_array_equal(read_scan(tmp_path / "a.bin")["coord"], sweep[:, :3])

"""What the numbers of raw arrays mean: the same answer in every range, order and company of missing points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.datasets.scans import prepare_scan
from pointins_ext.datasets.values import as_scene
from pointins_ext.errors import ScanWarning
from tests.fixtures.raw_values import COORD, FLOOR, LABEL, UNIT, N, scene

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


pytestmark = pytest.mark.usefixtures("said")


RANGES = {
    "uint8": lambda unit: np.rint(unit * 255).astype(np.uint8),
    "whole numbers in int32": lambda unit: np.rint(unit * 255).astype(np.int32),
    "8 bit in uint16": lambda unit: np.rint(unit * 255).astype(np.uint16),
    "uint16": lambda unit: np.rint(unit * 65535).astype(np.uint16),
    "float 0..255": lambda unit: unit * 255,
    "float 0..1": lambda unit: unit.astype(np.float32),
    "float 0..65535": lambda unit: unit * 65535,
    "int64 0..65535": lambda unit: np.rint(unit * 65535).astype(np.int64),
}


@pytest.mark.parametrize("kind", RANGES)
@quick
@given(seed=st.integers(0, 2**32 - 1), light=st.floats(0.05, 1), black=st.floats(0, 0.97), over=st.booleans())
def test_colors_are_the_same_in_every_known_range(kind, seed, light, black, over):
    """Dark scans, mostly black ones (points without a color) and a few values above the range included."""
    rng = np.random.default_rng(seed)
    unit = rng.random((N, 3)) * light
    unit[rng.random(N) < black] = 0
    unit[0] = light
    want = unit * 255
    raw = RANGES[kind](unit)
    if over and raw.dtype.kind == "f" and black < 0.5:
        raw[5, 1] = 30 * raw.max()
    got = scene(color=raw)["color"]
    assert got.dtype == np.float32 and got.min() >= 0 and got.max() <= 255
    np.testing.assert_allclose(np.delete(got, 5, 0), np.delete(want, 5, 0), atol=0.6)


@pytest.mark.parametrize("kind", RANGES)
def test_strength_is_the_same_in_every_known_range(kind):
    raw = RANGES[kind](UNIT[:, 0])
    np.testing.assert_allclose(scene(strength=raw)["strength"][:, 0], UNIT[:, 0], atol=2e-3)
    np.testing.assert_array_equal(scene(strength=raw[:, None])["strength"], scene(strength=raw)["strength"])


@pytest.mark.parametrize("kind", RANGES)
def test_a_range_that_the_type_does_not_state_is_said(kind, said):
    scene(color=RANGES[kind](UNIT))
    silent = kind in ("uint8", "whole numbers in int32", "uint16", "float 0..255", "8 bit in uint16")
    assert silent == (not said) and all("a.ply: colors up to" in str(w.message) for w in said)


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_order_changes_no_decision(seed):
    order = np.random.default_rng(seed).permutation(N)
    color = UNIT.copy()
    color[3] = 1.3
    arrays = dict(coord=COORD, color=color, strength=UNIT[:, 0] * 4095 - 2047, segment=LABEL, instance=FLOOR)
    one, other = as_scene(arrays, "a"), as_scene({key: value[order] for key, value in arrays.items()}, "a")
    for key in arrays:
        np.testing.assert_array_equal(one[key][order], other[key])


@quick
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.9), zero=st.booleans())
def test_a_scan_with_missing_points_is_the_scan_without_them(seed, share, zero):
    missing = np.random.default_rng(seed).random(N) < share
    missing[:7] = True
    arrays = dict(coord=COORD.copy(), color=UNIT, normal=UNIT - 0.5, strength=UNIT[:, 0], segment=LABEL, instance=FLOOR)
    arrays["coord"][missing] = 0 if zero else np.nan
    without = as_scene({key: value[~missing] for key, value in arrays.items()}, "a")
    found = as_scene(arrays, "a")
    np.testing.assert_array_equal(found.pop("kept"), ~missing)
    assert found.keys() == without.keys()
    for key, value in found.items():
        np.testing.assert_array_equal(value, without[key])


def test_what_is_left_out_is_said(said):
    coord = COORD.copy()
    coord[:30], coord[30:42] = 0, np.nan
    assert len(scene(coord=coord)["coord"]) == N - 42
    (warning,) = said
    assert warning.category is ScanWarning and str(warning.message).startswith("a.ply: 12 of 300 points have NaN")
    assert "30 of 300 points have all coordinates 0" in str(warning.message)


def test_a_point_at_the_origin_and_copies_of_all_points_stay():
    coord = COORD.copy()
    coord[0] = 0
    assert "kept" not in scene(coord=coord)
    assert "kept" not in scene(coord=COORD.round()), "other places hold as many"
    assert "kept" not in scene(coord=np.zeros((N, 3)))
    coord[5:] = np.nan
    with pytest.raises(ValueError, match="295 of 300 points have NaN or Inf in coord; expected at least 10"):
        scene(coord=coord)


@pytest.mark.parametrize(
    "color, found",
    [(UNIT * 2 - 1, "-0.9.* to 0.9"), (UNIT * -1000, "-9.* to -"), (UNIT * 1e6, "4.*e.04 to 9.*e.05")],
)
def test_impossible_colors_are_refused_with_the_range(color, found):
    with pytest.raises(ValueError, match=rf"a\.ply: colors from .*{found}.*expected 0\.\.1, 0\.\.255 or 0\.\.65535"):
        scene(color=color)


def test_pure_colors():
    pure = np.eye(3)[LABEL % 3]
    np.testing.assert_array_equal(scene(color=pure)["color"], pure * 255)
    np.testing.assert_array_equal(scene(color=pure.astype(np.uint8))["color"], pure)


def test_alpha_is_left_out():
    rgba = np.hstack([UNIT, np.ones((N, 1))])
    np.testing.assert_array_equal(scene(color=rgba)["color"], scene(color=UNIT)["color"])


@pytest.mark.parametrize("nothing", [0, np.nan])
@pytest.mark.parametrize("key, width", [("color", 3), ("normal", 3), ("strength", 1)])
def test_nothing_at_all_points_is_not_there(key, width, nothing, said):
    assert key not in scene(**{key: np.full((N, width), nothing)})
    (warning,) = said
    assert f"a.ply: {key} is " in str(warning.message) and "not there" in str(warning.message)


def test_single_points_without_a_value(said):
    color, strength, normal = UNIT * 255, UNIT[:, 0].copy(), (UNIT - 0.5) * 70
    color[3, 1], strength[4], normal[5], normal[6], normal[7] = np.nan, np.nan, 0, np.nan, 1e-12
    read = scene(color=color, strength=strength, normal=normal)
    assert (read["color"][3] == 127.5).all() and read["strength"][4] == pytest.approx(np.nanmedian(strength))
    assert (read["normal"][5:8] == 0).all() and len(said) == 3
    length = np.linalg.norm(np.delete(read["normal"], [5, 6, 7], 0), axis=1)
    assert length == pytest.approx(1, abs=1e-6)
    filled = prepare_scan(read)["normal"]
    assert np.linalg.norm(filled, axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(np.delete(filled, [5, 6, 7], 0), np.delete(read["normal"], [5, 6, 7], 0))


@pytest.mark.parametrize("strength", [UNIT[:, 0] * 4095 - 2047, UNIT[:, 0] * -30, UNIT[:, 0] * 1e7])
def test_strength_of_no_known_range_is_scaled_and_said(strength, said):
    read = scene(strength=strength)["strength"][:, 0]
    assert np.corrcoef(read, UNIT[:, 0] * np.sign(strength.max()))[0, 1] ** 2 > 0.99 and np.ptp(read) == 1
    assert "scaled to 0..1" in str(said[0].message)


# -- labels ---------------------------------------------------------------------------------------------------------

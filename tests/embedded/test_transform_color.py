"""Transforms of colors."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded.transform_color import shift_hue
from tests.fixtures.transform_scenes import NEEDED, make_scene, quick, run, seeds


@quick
@given(seed=seeds, shift=st.floats(-0.5, 0.5))
def test_hue_shift_equals_colorsys(seed, shift):
    color = np.random.default_rng(seed).integers(0, 256, (20, 3)).astype(np.float64)
    color[0] = 90
    expected = []
    for rgb in color / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
        expected.append(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value))
    assert shift_hue(color, shift) / 255 == pytest.approx(np.array(expected), abs=1e-9)


@quick
@given(seed=seeds)
def test_colors_stay_colors(seed):
    np.random.seed(seed)
    scene = make_scene(seed)
    for name in ("RandomColorJitter", "ChromaticTranslation", "ChromaticJitter", "ChromaticAutoContrast"):
        scene = run(name, scene, **NEEDED.get(name, dict(p=1)))
        assert -1e-3 <= scene["color"].min() <= scene["color"].max() <= 255.001, name
    assert run("NormalizeColor", scene)["color"].max() <= 1.00001
    assert np.ptp(run("RandomColorGrayScale", scene, p=1)["color"], axis=1).max() == 0


def test_scene_without_color_passes():
    for name in ("RandomColorJitter", "ChromaticTranslation", "ChromaticJitter", "ChromaticAutoContrast"):
        coord = dict(coord=np.zeros((3, 3), np.float32))
        assert run(name, coord, **NEEDED.get(name, dict(p=1))).keys() == coord.keys()

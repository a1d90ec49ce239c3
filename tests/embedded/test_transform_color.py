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


@quick
@given(seed=seeds, share=st.floats(0, 1))
def test_a_dropped_channel_is_zero_at_its_share_of_the_points_and_all_else_stays(seed, share):
    for name, channel in (("RandomDropColor", "color"), ("RandomDropNormal", "normal")):
        scene, before = make_scene(seed), make_scene(seed)
        dropped = run(name, scene, drop_ratio=share, drop_application_ratio=1)
        gone = ~dropped[channel].any(axis=1)
        assert gone.sum() == int(share * len(gone)) and (dropped[channel][~gone] == before[channel][~gone]).all()
        for key, value in before.items():
            assert np.array_equal(scene[key], value) and (key == channel or np.array_equal(dropped[key], value))
        assert run(name, scene, drop_ratio=1, drop_application_ratio=0)[channel] is scene[channel]


def test_scene_without_color_passes():
    names = ("RandomColorJitter", "ChromaticTranslation", "ChromaticJitter", "ChromaticAutoContrast", "RandomDropColor")
    for name in (*names, "RandomDropNormal"):
        coord = dict(coord=np.zeros((3, 3), np.float32))
        assert run(name, coord, **NEEDED.get(name, dict(p=1))).keys() == coord.keys()

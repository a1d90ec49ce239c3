"""Curves as SVG: within the frame, gaps left out, long ones drawn by their means."""

import re

import numpy as np
import pytest

from pointins_ext.visualization.curve import CURVE_PAD, CURVE_SIZE, LARGEST_CURVE, SMOOTHING, curve_svg, number_text


def lines(svg):
    """Points (S,2) of each polyline."""
    found = re.findall(r'points="([^"]*)"', svg)
    return [np.array([pair.split(",") for pair in points.split()], float) for points in found]


def test_a_curve_fills_its_frame_and_labels_say_the_range():
    (line,) = lines(svg := curve_svg("loss", [0, 10, 20], [3.0, 1.0, 2.0]))
    (width, height), (left, right, top, bottom) = CURVE_SIZE, CURVE_PAD
    np.testing.assert_allclose(line[:, 0], [left, (left + width - right) / 2, width - right])
    np.testing.assert_allclose([line[0, 1], line[1, 1]], [top, height - bottom])  # upside down
    assert ">1<" in svg and ">3<" in svg and ">step 20<" in svg


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_gaps_are_left_out(gap):
    assert len(lines(curve_svg("loss", [0, 1, 2], [1, gap, 2]))[0]) == 2
    assert "no data" in curve_svg("loss", [0], [gap]) and "no data" in curve_svg("loss", [], [])


def test_a_constant_curve_runs_through_the_middle():
    (line,) = lines(curve_svg("loss", [0, 1], [7.0, 7.0]))
    assert len(set(line[:, 1])) == 1


def test_long_curves_are_averaged_and_smoothed():
    raw, smooth = lines(curve_svg("loss", np.arange(10**4), np.random.default_rng(0).random(10**4)))
    assert len(raw) == LARGEST_CURVE and len(smooth) == LARGEST_CURVE - SMOOTHING + 1
    assert np.ptp(smooth[:, 1]) < np.ptp(raw[:, 1])


def test_names_are_escaped_and_uneven_curves_named():
    assert 'aria-label="&lt;b&gt;"' in curve_svg("<b>", [0], [1])
    with pytest.raises(ValueError, match=r"curve 'loss' has \(2,\) steps and \(1,\) values"):
        curve_svg("loss", [0, 1], [1])


def test_numbers_have_four_digits():
    assert number_text(1234.56) == "1235" and number_text(0.00012347) == "0.0001235" and number_text(np.nan) == "–"

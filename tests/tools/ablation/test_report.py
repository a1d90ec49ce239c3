"""The statistics and tables of the ablations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablation import report
from tests.fixtures.ablations import ROWS

pytest.importorskip("matplotlib")


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_interval_is_students(values):
    mean, width = report.interval(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    if np.std(values) > 1e-6:
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert (mean - width, mean + width) == pytest.approx((low, high), abs=1e-6)


def test_interval_of_one_run_is_unknown():
    assert math.isnan(report.interval([3.0])[1])


def test_pairs_share_a_seed():
    difference = report.paired(ROWS[1:], "both", "none", "map")  # none lacks seed 0
    np.testing.assert_allclose(difference, [3.1, 3.2])
    assert len(report.paired(ROWS, "both", "none", "pq")) == 0


def test_table_has_every_arm_and_the_differences_by_seed():
    lines = report.table(ROWS, dict.fromkeys(("none", "both", "paper"), "none")).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["arm", "---", "none", "both", "both - none"]
    # seeds differ by 10, the arms by 3.1 on every one of them
    width = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert f"+3.1 ± {width:.1f}" in lines[-1]
    assert "+0.0 ± 0.0" in lines[-1]


def test_rivals_stand_below_the_arms_with_and_without_planes():
    ours = dict(raw_pointins_map=30.0, off_pointins_map=31.0)
    theirs = dict(raw_components_map=5.0, planes_components_map=20.0, off_components_map=21.0)
    lines = report.table([ROWS[0] | ours | theirs], dict.fromkeys(("none",), "none")).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0][-2:] == ["offsets mAP", "offsets mAP, planes removed"]
    assert cells[3] == ["spatial components", "", "", "", "5.0", "21.0"]
    assert cells[4] == ["spatial components + planes", "", "", "", "20.0", ""]


def test_curves_are_of_every_number_of_steps_and_the_table_of_the_most(tmp_path):
    fewer = [row | dict(steps=1000, map=row["map"] - (2.0 if row["arm"] == "both" else 0.5)) for row in ROWS]
    none_at_all = [dict(arm="random", seed=0, steps=0, map=0.5, miou=40.0)]
    arms = dict.fromkeys(("random", "none", "both"), "none")
    report.write_report(tmp_path, fewer + ROWS + none_at_all, arms)
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines == report.table(ROWS + none_at_all, arms).splitlines()
    curve = (tmp_path / "curve.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in curve] == ["steps", "---", "1000", "4000"]
    assert "+1.6 ±" in curve[2] and "+3.1 ±" in curve[3]
    assert (tmp_path / "curve.png").stat().st_size > 0
    report.write_report(tmp_path / "one", ROWS, arms)
    assert not (tmp_path / "one/curve.md").exists()


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=200))
def test_a_thinned_curve_keeps_its_mean_and_order(values):
    steps, means = report.thinned(range(len(values)), values, points=20)
    assert len(steps) == len(means) == min(20, len(values)) and steps == sorted(steps)
    parts = [len(part) for part in np.array_split(values, len(means))]
    assert np.average(means, weights=parts) == pytest.approx(np.mean(values), abs=1e-2)

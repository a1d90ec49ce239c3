"""The figures of the benchmark keep their place, and its guard bites."""

import json

from benchmark.record import record, regressions, table
from tests.fixtures.benchmark_rows import row


def test_regressions_are_by_ratio():
    recorded = dict(scr=row(0.4), odr=row(0.4))
    assert regressions(dict(scr=row(0.59), odr=row(0.4), data=row(9.0)), recorded) == {}
    found = regressions(dict(scr=row(0.61), odr=row(0.4)), recorded)
    assert found == dict(scr="scr takes 0.61 times its reference, 0.40 is recorded")
    assert regressions(dict(scr=row(0.79), odr=row(0.81)), recorded, tolerance=2.0).keys() == {"odr"}


def test_figures_join_those_on_record(tmp_path):
    path = tmp_path / "figures.json"
    record(str(path), "cpu", dict(odr=row(0.5), scr=row(0.4)), dict(cores=2))
    record(str(path), "cpu", dict(odr=row(0.3)), dict(cores=4))
    record(str(path), "cuda", dict(odr=row(0.1)), {})
    found = json.loads(path.read_text())
    assert {name: figures["ratio"] for name, figures in found["cpu"]["cases"].items()} == dict(scr=0.4, odr=0.3)
    assert list(found["cpu"]["cases"]) == ["scr", "odr"]  # in the order of the cases
    assert found["cuda"]["cases"]["odr"]["ratio"] == 0.1 and found["cpu"]["machine"] == dict(cores=4)


def test_the_table_says_whether_a_target_is_met():
    lines = table(dict(scr=row(0.4), odr=row(1.2), components=row(3.0, target=None))).splitlines()
    assert [line.split("|")[6].strip() for line in lines[2:]] == ["yes", "no", ""]
    assert len({line.count("|") for line in lines}) == 1

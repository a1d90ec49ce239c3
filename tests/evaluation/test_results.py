"""Tables of a result: the log, JSON and CSV show the same numbers, and nothing that is not a number."""

import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from pointins_ext.evaluation import results

NAMES = ["wall", "floor", "chair"]
RESULT = dict(map=0.25, ap50=0.5, class_ap=np.array([0.1, math.nan, 0.4]), class_ap50=np.array([0.5, math.nan, 0.5]))


def test_means_stand_under_their_columns_and_ignored_classes_are_left_out():
    rows, mean = results.table(RESULT, NAMES, ignored=(0,))
    assert list(rows) == ["floor", "chair"] and rows["chair"] == dict(ap=0.4, ap50=0.5)
    assert mean == dict(ap=0.25, ap50=0.5)


def test_the_log_shows_percent_and_a_dash_for_nothing():
    lines = results.render(RESULT, NAMES, ignored=(0,)).splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["class", "ap", "ap50"],
        ["floor", "-", "-"],
        ["chair", "40.00", "50.00"],
        ["mean", "25.00", "50.00"],
    ]
    assert lines[4:] == ["  mAP 25.00, AP50 50.00", "  not scored: wall"]


def test_files_hold_what_the_table_holds(tmp_path):
    results.save(str(tmp_path), "instance", RESULT, NAMES, ignored=(0,), weight="a.pth")
    content = json.loads((tmp_path / "results" / "instance.json").read_text())
    assert content == dict(
        weight="a.pth",
        metrics=dict(map=0.25, ap50=0.5),
        classes=dict(floor=dict(ap=None, ap50=None), chair=dict(ap=0.4, ap50=0.5)),
        ignored=["wall"],
    )
    with (tmp_path / "results" / "instance.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows == [["class", "ap", "ap50"], ["floor", "", ""], ["chair", "0.4", "0.5"], ["mean", "0.25", "0.5"]]


def test_predictions_read_back_under_the_name_of_their_scene(tmp_path):
    results.save_prediction(str(tmp_path), "scene0", dict(segment=np.arange(3)))
    with np.load(tmp_path / "result" / "scene0.npz") as arrays:
        assert arrays.files == ["segment"] and arrays["segment"].tolist() == [0, 1, 2]
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["scene0.npz"]


class Data(dict):
    __getattr__ = dict.__getitem__


def test_classes_without_names_are_numbered_and_wrong_names_refused():
    assert results.class_names(Data(num_classes=2)) == ["class_0", "class_1"]
    assert results.class_names(Data(num_classes=3, names=NAMES)) == NAMES
    for names in (NAMES[:2], ["wall", "wall", "chair"]):
        with pytest.raises(ValueError, match=f"{len(names)} names, 2 of them distinct; .* data.num_classes = 3"):
            results.class_names(Data(num_classes=3, names=names))


def test_the_report_warns_of_objects_that_are_not_scored():
    lines = dict(info=[], warning=[])
    logger = SimpleNamespace(**{kind: into.append for kind, into in lines.items()})
    score = SimpleNamespace(result=RESULT, losses=dict(loss=0.5), scenes=7, overlooked={0})
    results.report(logger, "Test", SimpleNamespace(ignored=(0,)), score, NAMES)
    assert lines["warning"][0].endswith("not scored as instances, as the config says: wall")
    assert lines["info"][0].startswith("Test, 7 scenes, loss 0.5000, percent:\n  class")

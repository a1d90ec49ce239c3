"""Panoptic quality on a real sweep of SemanticKITTI, where every hand-made error has a value derived by hand.

The sweep (sequence 00, scan 0) has 12 of the 19 classes, among them 13 cars, of these 3 under 50 points, and one moving
motorcyclist; every stuff class is one segment.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.embedded.label_maps import KITTI, KITTI_IGNORED, label_table, to_classes
from pointins_ext.evaluation.panoptic import panoptic_quality

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
LABELS = DATA / "semantickitti" / "sequences" / "00" / "labels" / "000000.label"
CLASS = {name: number for number, name in enumerate(KITTI)}
PRESENT = 12
ROAD, LANE_MARKING, CAR, MOVING_CAR, MOTORCYCLIST, MOVING_MOTORCYCLIST = 40, 60, 10, 252, 32, 255


@pytest.fixture(scope="module")
def words():
    """The label words of the sweep: raw label in the lower 16 bits, instance in the upper."""
    if not LABELS.is_file():
        pytest.skip(f"no real sweep at {LABELS}; set POINTINS_TEST_DATA to the folder that holds semantickitti")
    words = np.fromfile(LABELS, np.uint32)
    words.flags.writeable = False
    return words


@pytest.fixture
def scan(words):
    """(segment, instance) of the sweep, free to be changed."""
    return read(words)


def read(words):
    return to_classes(words & 0xFFFF, label_table(KITTI, KITTI_IGNORED, -1), LABELS), (words >> 16).astype(np.int64)


def relabel(words, old, new):
    """Words in which the points of one raw label have another."""
    return np.where((words & 0xFFFF) == old, words & 0xFFFF0000 | new, words)


def measure(prediction, words):
    return panoptic_quality(prediction, read(words), num_classes=19, things=range(8), min_points=50)


def pq(result, name):
    return result["class_pq"][CLASS[name]]


def test_a_perfect_prediction_is_one_on_every_class_that_is_there(scan, words):
    result = measure(scan, words)
    present = np.isin(np.arange(19), scan[0])
    assert present.sum() == PRESENT
    for key in ("class_pq", "class_sq", "class_rq", "class_iou"):
        np.testing.assert_array_equal(result[key], present.astype(float))
    # absent classes are 0 in every mean, of 19 classes, 8 things (2 present) and 11 stuff (10 present)
    assert result["pq"] == result["sq"] == result["rq"] == result["miou"] == result["pq_dagger"]
    assert (result["pq"], result["pq_things"], result["pq_stuff"]) == pytest.approx((12 / 19, 2 / 8, 10 / 11))


def test_instances_without_an_id_are_one_segment(scan, words):
    segment, instance = scan
    # Alone without an id, a car still is a segment of its own: nothing is lost.
    instance[instance == 213] = 0
    assert measure(scan, words)["pq"] == pytest.approx(12 / 19)
    # Cars of 108, 103 and 63 points join it: of 13 cars 9 are whole, 213 is found at IoU 1103/1377. TP 10, FN 3.
    instance[np.isin(instance, (208, 210, 209))] = 0
    assert pq(measure(scan, words), "car") == pytest.approx((9 + 1103 / 1377) / (10 + 3 / 2))
    # With 213 back in place the three are a segment of 274 points that matches none (108/274): TP 10, FN 3, FP 1.
    instance[read(words)[1] == 213] = 213
    assert pq(measure(scan, words), "car") == pytest.approx(10 / (10 + 3 / 2 + 1 / 2))


def test_an_instance_split_in_two(scan, words):
    instance = scan[1]
    points = np.flatnonzero(instance == 212)  # 1737
    # 1000 points keep the id, IoU 1000/1737 > 0.5; the other 737 are a false positive: TP 13, FP 1.
    instance[points[1000:]] = 999
    result = measure(scan, words)
    assert pq(result, "car") == pytest.approx((12 + 1000 / 1737) / (13 + 1 / 2))
    assert result["pq"] == pytest.approx((11 + (12 + 1000 / 1737) / 13.5) / 19)
    assert result["miou"] == pytest.approx(12 / 19)  # semantics do not see it
    # In thirds of 579 points nothing matches it: TP 12, FP 3, FN 1.
    instance[points[579 : 2 * 579]], instance[points[2 * 579 :]] = 998, 997
    assert pq(measure(scan, words), "car") == pytest.approx(12 / (12 + 3 / 2 + 1 / 2))


def test_two_instances_merged(scan, words):
    instance = scan[1]
    # 1737 and 1103 points under one id: the larger is found at IoU 1737/2840, the other is missed. TP 12, FN 1.
    instance[instance == 213] = 212
    result = measure(scan, words)
    assert pq(result, "car") == pytest.approx((11 + 1737 / 2840) / (12 + 1 / 2))
    assert result["class_sq"][0] == pytest.approx((11 + 1737 / 2840) / 12)
    assert result["class_rq"][0] == pytest.approx(12 / 12.5)


def test_a_thing_of_another_class(scan, words):
    segment, instance = scan
    # The only motorcyclist (88 points) as bicyclist: a miss of its class and a false positive of an absent one, both 0.
    segment[segment == CLASS["motorcyclist"]] = CLASS["bicyclist"]
    # A car of 271 points as truck: 12 of 13 cars.
    segment[instance == 504] = CLASS["truck"]
    result = measure(scan, words)
    assert [pq(result, name) for name in ("motorcyclist", "bicyclist", "truck")] == [0, 0, 0]
    assert pq(result, "car") == pytest.approx(12 / 12.5)
    assert result["pq"] == pytest.approx((10 + 12 / 12.5) / 19)  # the 10 classes of stuff are whole


def test_stuff_of_another_class(scan, words):
    segment = scan[0]
    # 3268 points of parking as road, which has 35281: parking is missed, road still matches at 35281/38549.
    segment[segment == CLASS["parking"]] = CLASS["road"]
    result = measure(scan, words)
    assert pq(result, "parking") == 0
    assert pq(result, "road") == pytest.approx(35281 / 38549) == pytest.approx(result["class_iou"][CLASS["road"]])
    assert result["pq"] == pytest.approx((10 + 35281 / 38549) / 19)


def test_only_instances_of_50_points_can_be_missed(scan, words):
    segment, instance = scan
    # A car of 31 points as vegetation (27123) is no miss: TP 12, FN 0. The semantics lose it: 4203 of 4234 points.
    lost = instance == 215
    segment[lost], instance[lost] = CLASS["vegetation"], 0
    result = measure(scan, words)
    assert pq(result, "car") == 1 and result["class_iou"][0] == pytest.approx(4203 / 4234)
    assert pq(result, "vegetation") == pytest.approx(27123 / 27154)
    # One of 60 points is: TP 11, FN 1.
    lost = instance == 219
    segment[lost], instance[lost] = CLASS["vegetation"], 0
    assert pq(measure(scan, words), "car") == pytest.approx(11 / 11.5)


def test_moving_things_count_as_those_that_stand(words):
    perfect = pytest.approx(12 / 19)
    # predictions have no moving classes; the motorcyclist moves in the labels
    assert np.count_nonzero((words & 0xFFFF) == MOVING_MOTORCYCLIST) == 88
    assert measure(read(relabel(words, MOVING_MOTORCYCLIST, MOTORCYCLIST)), words)["pq"] == perfect
    # and every car might
    assert measure(read(words), relabel(words, CAR, MOVING_CAR))["pq"] == perfect


def test_the_official_script_takes_the_whole_word_for_an_id(words):
    """There lane markings, 1053 points, are a second segment of road, which no prediction can have."""
    segment, _ = read(words)
    target = segment, words.astype(np.int64)
    prediction = segment, relabel(words, LANE_MARKING, ROAD).astype(np.int64)
    result = panoptic_quality(prediction, target, num_classes=19, things=range(8), min_points=50)
    # TP 1 at IoU 34228/35281, FN 1
    assert pq(result, "road") == pytest.approx(34228 / 35281 / (1 + 1 / 2))

"""Exact overlaps, against sampling and shapely; average precision of known matches; whole scenes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.boxes import BoxAveragePrecision, box_iou, evaluate_boxes, numbered
from pointins_ext.instances.boxes import Boxes, oriented_boxes


def drawn(number, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    size = np.sort(rng.uniform(0.1, 4, (number, 3)), axis=1)[:, ::-1]
    return Boxes(rng.uniform(-spread, spread, (number, 3)), size, rng.uniform(-np.pi / 2, np.pi / 2, number))


def cubes(*x, side=1.0):
    """Cubes in a row along x."""
    number = len(x)
    center = np.array([[value, 0, 0] for value in x], float).reshape(-1, 3)
    return Boxes(center, np.full((number, 3), side), np.zeros(number))


def inside(boxes, point):
    """(I, N) whether the points lie in the boxes."""
    apart = point - boxes.center[:, None]
    cos, sin = np.cos(boxes.yaw)[:, None], np.sin(boxes.yaw)[:, None]
    turned = [cos * apart[..., 0] + sin * apart[..., 1], cos * apart[..., 1] - sin * apart[..., 0], apart[..., 2]]
    return (np.abs(np.stack(turned, axis=2)) <= boxes.size[:, None] / 2).all(axis=2)


# -- overlap --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_iou_is_symmetric_within_0_and_1_and_1_with_itself(seed):
    first, second = drawn(12, seed), drawn(9, seed + 1)
    iou = box_iou(first, second)
    assert iou.shape == (12, 9) and (iou >= 0).all() and (iou <= 1).all()
    np.testing.assert_allclose(iou, box_iou(second, first).T, atol=1e-12)
    np.testing.assert_allclose(np.diag(box_iou(first, first)), 1, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-7, 7), shift=st.tuples(*[st.floats(-100, 100)] * 3), scale=st.floats(0.1, 10))
def test_iou_does_not_depend_on_the_frame(yaw, shift, scale):
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    first, second = drawn(8, 1), drawn(8, 2)
    moved = [Boxes(scale * b.center @ turn + shift, scale * b.size, b.yaw + yaw) for b in (first, second)]
    np.testing.assert_allclose(box_iou(*moved), box_iou(first, second), atol=1e-9)


def test_length_and_width_may_trade_places():
    first, second = drawn(10, 1), drawn(10, 2)
    turned = Boxes(second.center, second.size[:, [1, 0, 2]], second.yaw + np.pi / 2)
    np.testing.assert_allclose(box_iou(first, turned), box_iou(first, second), atol=1e-12)


def test_iou_by_hand():
    one = cubes(0.0)
    np.testing.assert_allclose(box_iou(one, cubes(0.5, 1.0, 5.0)), [[1 / 3, 0, 0]])
    diamond = Boxes(one.center, one.size, np.array([np.pi / 4]))  # the octagon of both
    octagon = 2 * (2**0.5 - 1)
    np.testing.assert_allclose(box_iou(one, diamond), [[octagon / (2 - octagon)]])
    within = Boxes(one.center, one.size / 2, np.array([0.3]))
    np.testing.assert_allclose(box_iou(one, within), [[1 / 8]])
    above = Boxes(one.center + [0, 0, 0.75], one.size, one.yaw)
    np.testing.assert_allclose(box_iou(one, above), [[0.25 / 1.75]])


def test_flat_boxes_and_no_boxes_overlap_nothing():
    flat = Boxes(np.zeros((1, 3)), np.array([[1.0, 1, 0]]), np.zeros(1))
    assert box_iou(flat, flat) == 0 and box_iou(flat, cubes(0.0)) == 0
    assert box_iou(cubes(), cubes(0.0)).shape == (0, 1) and box_iou(cubes(0.0), cubes()).shape == (1, 0)


def test_iou_equals_the_share_of_sampled_points():
    first, second = drawn(5, 3, spread=1), drawn(6, 4, spread=1)
    a, b = (inside(boxes, np.random.default_rng(0).uniform(-3.5, 3.5, (300_000, 3))) for boxes in (first, second))
    shared = (a[:, None] & b).sum(axis=2)
    union = (a[:, None] | b).sum(axis=2)
    assert shared.max() > 2000
    np.testing.assert_allclose(box_iou(first, second), shared / union, atol=0.03)


def test_footprints_equal_those_of_shapely():
    shapely = pytest.importorskip("shapely", reason="shapely is not installed: pip install shapely")
    first, second = drawn(60, 5), drawn(50, 6)
    for boxes in (first, second):
        boxes.center[:, 2], boxes.size[:, 2] = 0, 1
    a, b = ([shapely.Polygon(corner) for corner in boxes.footprint()] for boxes in (first, second))
    theirs = np.array([[p.intersection(q).area / p.union(q).area for q in b] for p in a])
    np.testing.assert_allclose(box_iou(first, second), theirs, atol=1e-9)


# -- average precision ----------------------------------------------------------------------------------------------


def scored(*scenes):
    metric = BoxAveragePrecision()
    for scene in scenes:
        metric.update(*scene)
    return metric.compute()


def test_perfect_boxes_score_one_and_none_score_zero():
    objects = cubes(0, 3, 6)
    assert scored((objects, [1, 2, 3], objects)) == pytest.approx(dict(box25=1, box50=1))
    assert scored((cubes(), [], objects)) == dict(box25=0, box50=0)
    assert all(np.isnan(value) for value in scored((objects, [1, 2, 3], cubes())).values())


def test_golden():
    """Scores 3 and 1 are right, 2 is wrong: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; a step counts half a side."""
    objects, boxes = cubes(0, 10), cubes(0, 20, 10)
    assert scored((boxes, [3, 2, 1], objects))["box50"] == pytest.approx((1 + 1 + 1 / 2 + 2 / 3) / 4)
    assert scored((boxes, [3, 1, 2], objects))["box50"] == pytest.approx(1)


def test_an_overlap_of_a_third_counts_at_a_quarter_alone():
    assert scored((cubes(0.5), [1], cubes(0))) == dict(box25=1, box50=0)


def test_a_second_box_on_an_object_is_wrong_whatever_the_order():
    objects = cubes(0, 10)
    for order in ([0, 1, 2], [2, 0, 1]):
        boxes, score = cubes(*np.array([0, 0.1, 10])[order]), np.array([3, 2, 1])[order]
        assert scored((boxes, score, objects))["box25"] == pytest.approx((1 + 1 + 1 / 2 + 2 / 3) / 4)


def test_a_box_takes_the_object_it_overlaps_most():
    assert scored((cubes(0.3, -0.1), [2, 1], cubes(0.4, 0)))["box50"] == 1


def test_boxes_on_void_are_forgiven_unless_they_find_something():
    objects, boxes = cubes(0), cubes(0, 5)
    assert scored((boxes, [1, 2], objects))["box50"] < 1
    assert scored((boxes, [1, 2], objects, [0.9, 0.6])) == dict(box25=1, box50=1)
    half = scored((boxes, [1, 2], objects, [0, 0.4]))
    assert half["box25"] == 1 and half["box50"] < 1


def test_scenes_share_one_ranking():
    good, bad = (cubes(0), [1], cubes(0)), (cubes(5), [9], cubes(0))
    assert scored(good, bad) == scored(bad, good)
    assert scored(good, bad)["box50"] < scored(good, (cubes(5), [0.5], cubes(0)))["box50"] < 1


def test_wrong_input_is_named():
    for wrong, message in ((([1], None), "score"), (([1, np.nan], None), "NaN"), (([1, 2], [0.5]), "void")):
        with pytest.raises(ValueError, match=message):
            scored((cubes(0, 5), wrong[0], cubes(0), wrong[1]))


# -- scenes ---------------------------------------------------------------------------------------------------------


def scene():
    """Two objects of 400 points, one of 20, and 300 points of no object."""
    rng = np.random.default_rng(0)
    instance = np.repeat([4, 7, 9, -1], [400, 400, 20, 300])
    coord = rng.uniform(0, 1, (1120, 3)) + np.column_stack([3 * (instance % 10), 0 * instance, 0 * instance])
    return dict(coord=coord, instance=instance, voxels=dict(coord=coord[::2], truth=instance[::2]))


def test_true_labels_score_one_and_one_box_for_all_scores_zero():
    methods = dict(
        truth=lambda v: numbered(v["truth"]),
        objects=lambda v: numbered(np.where(v["truth"] == 9, -1, v["truth"])),
        nothing=lambda v: np.full(len(v["coord"]), -1),
        all=lambda v: np.zeros(len(v["coord"]), int),
        void=lambda v: numbered(np.where(v["truth"] < 0, 99, v["truth"])),
    )
    table = evaluate_boxes([scene(), scene()], methods)
    assert table["truth"] == table["objects"] == table["void"] == dict(box25=1, box50=1)
    assert table["nothing"] == dict(box25=0, box50=0) and table["all"]["box50"] == 0


def test_the_score_ranks_the_boxes_and_sees_the_voxels():
    def split(voxels):
        """The first object, and pieces of the second."""
        return np.where(voxels["truth"] == 4, 0, np.where(voxels["truth"] == 7, 1 + (voxels["coord"][:, 1] > 0.6), -1))

    seen = []

    def score(voxels, label):
        seen.append(len(voxels["coord"]))
        return np.array([1.0, 3.0, 2.0])

    scenes = [scene()]
    by_score = evaluate_boxes(scenes, dict(split=split), dict(split=score))["split"]
    by_size = evaluate_boxes(scenes, dict(split=split), dict(other=score))["split"]
    # at 0.5 the first object and the larger piece are right, the smaller piece is wrong: last, and in the middle
    constant = evaluate_boxes(scenes, dict(split=split), dict(split=lambda *_: np.ones(3)))["split"]
    assert seen == [560] and by_size["box50"] > constant["box50"]
    assert by_size["box50"] == 1 and by_score["box50"] == pytest.approx((1 + 1 + 1 / 2 + 2 / 3) / 4)


def test_boxes_of_the_evaluation_are_those_of_all_raw_points():
    one = scene()
    metric = BoxAveragePrecision()
    objects = oriented_boxes(one["coord"], numbered(one["instance"], 100))
    metric.update(objects, [400, 400], objects)
    assert len(objects) == 2
    assert evaluate_boxes([one], dict(truth=lambda v: numbered(v["truth"])))["truth"] == metric.compute()

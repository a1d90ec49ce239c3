import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.instance import InstanceAveragePrecision, average_precision, instance_average_precision
from tests.fixtures.instance_scenes import SCORES, assert_same, random_scene
from tests.oracles.scannet_ap import scannet_ap


def dense(prediction, target):
    pairs = enumerate(zip(prediction["category"], prediction["score"], strict=True))
    masks = [(prediction["instance"] == k, c, s) for k, (c, s) in pairs]
    return masks, target["segment"], target["instance"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([1, 10, 40]), st.sampled_from([0.0, 0.2, 0.6]))
def test_equals_the_slow_restatement(seed, num_scenes, min_points, noise):
    scenes = [random_scene(seed + i, noise=noise) for i in range(num_scenes)]
    ours = instance_average_precision(
        *zip(*scenes, strict=True), num_classes=4, segment_ignore_index=(-1, 0), min_points=min_points
    )
    theirs = scannet_ap([dense(*scene) for scene in scenes], classes=[1, 2, 3], min_points=min_points)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours["class_ap"][1:], list(theirs["per_class"].values()), atol=1e-12)
    assert np.isnan(ours["class_ap"][0])


CUTS = st.lists(st.integers(1, 39), min_size=2, max_size=3, unique=True).map(sorted)


@settings(max_examples=150, deadline=None)
@given(CUTS, CUTS, st.permutations([0.2, 0.4, 0.6, 0.8]))
@example([20], [9, 29], [0.2, 0.4, 0.6, 0.8])  # prediction 1, the second of object 0, is still free for object 1
@example([20], [40], [0.2, 0.4, 0.6, 0.8])  # one prediction over two objects: the first takes it, the other is missed
def test_greedy_order_where_objects_share_predictions(objects, predictions, score):
    """At IoU 0.25 an object may have two matches and a prediction two objects: the stored order decides."""
    point = np.arange(40)
    target = {"instance": np.searchsorted(objects, point, side="right"), "segment": np.zeros(40, int)}
    prediction = {"instance": np.searchsorted(predictions, point, side="right"), "score": np.array(score)}
    prediction["category"] = np.zeros(4, int)
    theirs = scannet_ap([dense(prediction, target)], classes=[0], min_points=1)
    assert_same(instance_average_precision(prediction, target, min_points=1), theirs)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_class_agnostic_equals_one_class(seed):
    prediction, target = random_scene(seed)
    on_object = (target["segment"] > 0) & (target["instance"] >= 0)
    merged = {"instance": np.where(on_object, target["instance"], -1), "segment": np.where(on_object, 0, -1)}
    one = prediction | {"category": np.zeros(8, int)}
    ours = instance_average_precision(
        prediction, target, segment_ignore_index=(-1, 0), min_points=10, class_agnostic=True
    )
    assert_same(ours, scannet_ap([dense(one, merged)], classes=[0], min_points=10))
    plain = {"instance": merged["instance"]}
    assert_same(ours, instance_average_precision(prediction, plain, class_agnostic=True, min_points=10))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_ignores_names_and_order_of_points(seed):
    prediction, target = random_scene(seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(300), np.append(rng.permutation(8), -1)
    # Above IoU 0.5 a match is unique, so neither order nor names matter; at 0.25 the greedy order is part of the rule.
    renamed = {"instance": names[prediction["instance"]][order]}
    renamed |= {key: prediction[key][np.argsort(names[:8])] for key in ("score", "category")}
    ids = np.append(rng.permutation(1000)[:6], -1)
    moved = {"instance": ids[target["instance"]][order], "segment": target["segment"][order]}
    kwargs = dict(num_classes=4, min_points=10)
    before = instance_average_precision(prediction, target, **kwargs)
    assert_same(before, instance_average_precision(renamed, moved, **kwargs), ("map", "ap50"))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_merged_accumulators_equal_one(seed):
    scenes = [random_scene(seed + i) for i in range(4)]
    whole, *parts = (InstanceAveragePrecision(4, min_points=10) for _ in range(3))
    for i, scene in enumerate(scenes):
        whole.update(*scene)
        parts[i % 2].update(*scene)
    parts[1].merge(parts[0])
    assert_same(whole.compute(), parts[1].compute())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_perfect_prediction_scores_one(seed):
    _, target = random_scene(seed)
    target = {"instance": target["instance"] + 1, "segment": np.maximum(target["segment"], 0)}
    category = np.zeros(target["instance"].max() + 1, int)
    category[target["instance"]] = target["segment"]
    perfect = {"instance": target["instance"], "score": np.ones(len(category)), "category": category}
    result = instance_average_precision(perfect, target, num_classes=4, min_points=1)
    assert [result[key] for key in SCORES] == [1.0, 1.0, 1.0]


def blocks(*sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def agnostic(label, score, instance, **kwargs):
    prediction = {"instance": np.asarray(label), "score": np.asarray(score, float)}
    return instance_average_precision(prediction, {"instance": np.asarray(instance)}, class_agnostic=True, **kwargs)


def test_hand_made_scene_with_the_100_point_rule():
    # objects of 200, 99 (too small) and 150 points, then 120 void points
    instance = np.where(blocks(200, 99, 150, 120) == 3, -1, blocks(200, 99, 150, 120))
    label = np.concatenate([np.zeros(200), np.full(99, -1), np.full(150, 1), np.full(120, -1)]).astype(int)
    assert agnostic(label, [1.0, 0.5], instance)["map"] == 1.0  # the small object is no miss
    on_small = label.copy()
    on_small[199:300] = 2  # 101 points: 1 of object 0, 99 of the small one, 1 of object 2
    assert agnostic(on_small, [1.0, 0.5, 2.0], instance)["map"] == 1.0  # forgiven
    on_void = label.copy()
    on_void[449:] = 2
    assert agnostic(on_void, [1.0, 0.5, 2.0], instance)["map"] == 1.0  # forgiven
    tiny = label.copy()
    tiny[:99] = 2  # 99 points: dropped, object 0 keeps 101 of 200 points
    assert agnostic(tiny, [1.0, 0.5, 2.0], instance)["ap50"] == 1.0
    assert agnostic(tiny, [1.0, 0.5, 2.0], instance)["map"] < 1.0
    counted = label.copy()
    counted[:100] = 2  # 100 points: IoU exactly 0.5 for both halves, and > is strict
    assert agnostic(counted, [1.0, 0.5, 2.0], instance)["ap50"] < 0.5


def test_second_match_is_a_false_positive_with_the_lower_score():
    instance = blocks(300, 100)
    label = blocks(130, 170, 100)  # both halves of object 0 exceed IoU 0.25
    first = agnostic(label, [0.9, 0.2, 0.8], instance)["ap25"]
    assert first == agnostic(label, [0.2, 0.9, 0.8], instance)["ap25"]
    # true 0.9, true 0.8, false 0.2: points (R 1, P 2/3), (1, 1), (0.5, 1), (0, 1)
    assert first == pytest.approx(2 / 3 * 0.0 + 0.25 + 0.5 + 0.25)
    # the rejected half would have cost precision had it ranked first
    assert average_precision(np.array([False, True, True]), np.array([0.95, 0.9, 0.8]), 0) < first


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 2))
def test_removing_a_false_positive_never_lowers(seed, score):
    prediction, target = random_scene(seed)
    # 60 extra points of a valid class with no object: whatever is predicted there is a false positive
    bare = np.full(60, -1)
    target = {"instance": np.r_[target["instance"], bare], "segment": np.r_[target["segment"], np.ones(60, int)]}
    extended = {"score": np.append(prediction["score"], score), "category": np.append(prediction["category"], 1)}
    without = extended | {"instance": np.r_[prediction["instance"], bare]}
    wrong = extended | {"instance": np.r_[prediction["instance"], np.full(60, 8)]}
    kwargs = dict(num_classes=4, min_points=10)
    better, worse = (instance_average_precision(p, target, **kwargs) for p in (without, wrong))
    for key in SCORES:
        assert np.isnan(better[key]) or better[key] >= worse[key] - 1e-12


def test_nothing_predicted_is_zero_and_nothing_to_find_is_nan():
    instance = blocks(120, 120)
    assert agnostic(np.full(240, -1), [], instance)["map"] == 0.0
    assert np.isnan(agnostic(np.zeros(240, int), [1.0], np.full(240, -1))["map"])
    empty = agnostic(np.zeros(0, int), [], np.zeros(0, int))
    assert np.isnan(empty["map"])
    assert np.isnan(InstanceAveragePrecision(3).compute()["ap50"])


def test_size_is_the_default_score_and_tensors_are_welcome():
    instance, label = blocks(300, 100, 150), blocks(280, 120, 150)
    sized = agnostic(label, [280, 120, 150], instance)
    plain = {"instance": torch.from_numpy(label).int()}
    assert_same(sized, instance_average_precision(plain, {"instance": torch.from_numpy(instance)}, class_agnostic=True))


@pytest.mark.parametrize(
    "prediction, message",
    [
        ({"instance": [0, 1], "score": [1.0], "category": [0]}, "there are 1 scores"),
        ({"instance": [0, 0, 0], "score": [1.0], "category": [0]}, r"prediction instance has shape \(3,\)"),
        ({"instance": [0, 0], "score": [np.nan], "category": [0]}, "NaN"),
        ({"instance": [0, 0], "score": [1.0], "category": [0, 1]}, "prediction category"),
    ],
)
def test_unusable_input_is_named(prediction, message):
    with pytest.raises(ValueError, match=message):
        instance_average_precision(prediction, {"instance": [0, 0], "segment": [0, 0]}, num_classes=2)

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.semantic import SemanticSegmentation

NUM_CLASSES = 5
seeds = st.integers(0, 2**32 - 1)


def labels(seed, number=200):
    rng = np.random.default_rng(seed)
    return rng.integers(0, NUM_CLASSES, number), rng.integers(-1, NUM_CLASSES, number)


def scores(*pairs, **options):
    metric = SemanticSegmentation(NUM_CLASSES, **options)
    for pair in pairs:
        metric.update(*pair)
    return metric.compute()


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_equals_counting_class_by_class(seed):
    prediction, target = labels(seed)
    result = scores((prediction, target))
    prediction, target = prediction[target >= 0], target[target >= 0]
    for c in range(NUM_CLASSES):
        both, either = ((prediction == c) & (target == c)).sum(), ((prediction == c) | (target == c)).sum()
        assert result["class_iou"][c] == pytest.approx(both / max(either, 1))
        assert result["class_acc"][c] == pytest.approx(both / max((target == c).sum(), 1))
    assert result["miou"] == pytest.approx(result["class_iou"].mean())
    assert result["allacc"] == pytest.approx((prediction == target).mean())


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_scenes_may_come_in_any_portions(seed):
    prediction, target = labels(seed)
    first, second = SemanticSegmentation(NUM_CLASSES), SemanticSegmentation(NUM_CLASSES)
    first.update(prediction[:70], torch.from_numpy(target[:70]))
    second.update(prediction[70:], target[70:])
    first.merge(second)
    assert first.compute()["miou"] == scores((prediction, target))["miou"]


def test_a_perfect_answer_is_one_and_an_absent_class_counts_zero():
    everything = np.arange(NUM_CLASSES)
    assert scores((everything, everything))["miou"] == 1
    assert scores((everything[:4], everything[:4]))["miou"] == pytest.approx(0.8)


def test_points_without_a_label_do_not_count():
    assert scores(([0, 4], [0, 9]), ignore_index=9)["allacc"] == 1
    assert scores(([], []))["miou"] == 0


@pytest.mark.parametrize(
    "prediction, target, message",
    [
        ([5], [0], r"prediction holds classes \[5\]; expected 0..4"),
        ([0], [7], "target holds"),
        ([0, 1], [0], "prediction"),
    ],
)
def test_what_is_no_class_is_named(prediction, target, message):
    with pytest.raises(ValueError, match=message):
        scores((np.array(prediction), np.array(target)))

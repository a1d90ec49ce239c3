import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.panoptic import PanopticQuality, panoptic_quality
from pointins_ext.host import stand_ins
from tests.oracles.panoptic import panoptic

VALUES = ("class_pq", "class_sq", "class_rq", "class_iou")
THINGS = (1, 2)


def random_scan(seed, num_points=160, ignored=0):
    """Scan with classes 0 (ignored), 1, 2 (things), 3, 4 (stuff); the prediction is the target with noise."""
    rng = np.random.default_rng(seed)
    block = np.arange(num_points) // 20
    segment = rng.integers(0, 5, num_points // 20)[block]
    instance = np.where(np.isin(segment, THINGS), 7 * block, 0)
    noisy = rng.random(num_points) < rng.choice([0.0, 0.2, 0.5])
    predicted = np.where(noisy, rng.integers(0, 5, num_points), segment)
    label = np.where(np.isin(predicted, THINGS), np.where(noisy, rng.integers(0, 4, num_points), instance), 0)
    return (predicted, label), (np.where(segment == 0, ignored, segment), instance)


def measure(scans, **kwargs):
    metric = PanopticQuality(5, THINGS, **dict(ignore_index=0, min_points=15) | kwargs)
    for prediction, target in scans:
        metric.update(prediction, target)
    return metric


def kirillov_toy():
    """The worked example of the SemanticKITTI evaluator: classes ignore, grass, sky, person, dog."""
    # rows: points, predicted class, predicted id, true class, true id
    runs = [
        (50, 0, 0, 0, 0),
        (40, 1, 0, 1, 0),
        (10, 2, 0, 1, 0),
        (40, 2, 0, 2, 0),
        (10, 1, 0, 2, 0),
        (50, 3, 35, 4, 22),
        (150, 3, 8, 3, 33),
        (50, 3, 8, 3, 42),
        (100, 3, 95, 3, 11),
    ]
    return (np.repeat(column, [run[0] for run in runs]) for column in list(zip(*runs, strict=True))[1:])


def test_golden_numbers_of_the_official_evaluators():
    segment, label, true_segment, true_label = kirillov_toy()
    result = panoptic_quality(
        (segment, label), (true_segment, true_label), num_classes=5, things=(3, 4), ignore_index=0, min_points=1
    )
    assert result["pq"] == pytest.approx(0.479167, abs=1e-6)
    assert result["sq"] == pytest.approx(0.552083, abs=1e-6)
    assert result["rq"] == pytest.approx(0.666667, abs=1e-6)
    assert result["miou"] == pytest.approx(0.547619, abs=1e-6)
    np.testing.assert_allclose(result["class_pq"], [0, 2 / 3, 2 / 3, 7 / 12, 0])
    assert result["pq_dagger"] == pytest.approx((7 / 12 + 0 + 2 / 3 + 2 / 3) / 4)
    assert (result["pq_things"], result["pq_stuff"]) == pytest.approx((7 / 24, 2 / 3))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 15, 30]))
def test_equals_the_slow_restatement(seed, min_points):
    scans = [random_scan(seed), random_scan(seed + 1)]
    ours = measure(scans, min_points=min_points).compute()
    theirs = panoptic([(*p, *t) for p, t in scans], 5, {0}, min_points)
    for key, expected in zip(VALUES, theirs, strict=True):
        np.testing.assert_allclose(ours[key], expected, atol=1e-12)
    assert ours["pq"] == pytest.approx(theirs[0][1:].mean())
    assert ours["pq_dagger"] == pytest.approx(np.r_[theirs[0][1:3], theirs[3][3:]].mean())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_ignores_names_and_order_of_points(seed):
    (segment, label), (true_segment, true_label) = random_scan(seed)
    rng = np.random.default_rng(seed)
    order, names, true_names = rng.permutation(len(segment)), rng.permutation(1000), rng.permutation(1000) - 1
    before = measure([((segment, label), (true_segment, true_label))]).counts
    moved = (segment[order], names[label][order]), (true_segment[order], true_names[true_label][order])
    after = measure([moved]).counts
    for key, value in before.items():
        np.testing.assert_allclose(after[key], value, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_merging_sums_the_counts(seed):
    scans = [random_scan(seed + i) for i in range(4)]
    whole, left, right = measure(scans), measure(scans[:1]), measure(scans[1:])
    left.merge(right)
    for key, value in whole.counts.items():
        np.testing.assert_allclose(left.counts[key], value, atol=1e-12)
    assert left.compute()["pq"] == pytest.approx(whole.compute()["pq"])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_perfect_prediction_scores_one_on_present_classes(seed):
    _, target = random_scan(seed)
    result = measure([(target, target)]).compute()
    present = np.isin(np.arange(5), target[0]) & (np.arange(5) != 0)
    for key in VALUES:
        np.testing.assert_array_equal(result[key], present.astype(float))


def test_small_segments_are_forgiven_but_may_match():
    target = np.repeat([1, 3], [14, 100]), np.repeat([5, 0], [14, 100])
    missed = np.full(114, 3), np.zeros(114, int)
    assert measure([(missed, target)]).counts["false_negative"][1] == 0
    assert measure([(missed, target)], min_points=14).counts["false_negative"][1] == 1
    assert measure([(target, missed)]).counts["false_positive"][1] == 0
    assert measure([(target, missed)], min_points=14).counts["false_positive"][1] == 1
    assert measure([(target, target)]).counts["true"][1] == 1


def test_ignored_id_outside_the_classes_and_tensors():
    prediction, target = random_scan(3)
    _, outside = random_scan(3, ignored=-1)
    inside = measure([(prediction, target)]).compute()
    # class 0 is evaluated now, so compare the classes that are evaluated in both
    other = measure([(prediction, tuple(map(torch.from_numpy, outside)))], ignore_index=[-1]).compute()
    for key in VALUES:
        np.testing.assert_allclose(other[key][1:], inside[key][1:])


def test_empty_and_void_scans_are_zero():
    void = np.zeros(30, int), np.zeros(30, int)
    empty = np.zeros(0, int), np.zeros(0, int)
    assert measure([(void, void), (empty, empty)]).compute()["pq"] == 0


@pytest.fixture
def peer():
    """torchmetrics' metric; it imports torchvision, whose wheels for CUDA need help beside a PyTorch for CPU."""
    stand_ins._declare_torchvision_operators()
    return pytest.importorskip("torchmetrics.detection").PanopticQuality


def test_equals_torchmetrics_at_one_point(peer):
    for seed in range(10):
        # torchmetrics forgives predictions that lie mostly on void, the official evaluators cut the void points away
        # first: the rules coincide where nothing is void
        prediction, target = ((np.where(segment == 0, 3, segment), ids) for segment, ids in random_scan(seed))
        metric = peer(things={1, 2}, stuffs={3, 4}, return_per_class=True, return_sq_and_rq=True)
        metric.update(*(torch.from_numpy(np.stack(pair, -1))[None] for pair in (prediction, target)))
        expected = metric.compute().numpy()
        ours = measure([(prediction, target)], min_points=1).compute()
        for column, key in enumerate(VALUES[:3]):
            np.testing.assert_allclose(ours[key][1:], expected[:, column], atol=1e-6)


@pytest.fixture
def official():
    """PanopticEval of the nuScenes devkit, loaded from its file: the package itself wants NumPy 1."""
    spec = importlib.util.find_spec("nuscenes")
    if spec is None:
        pytest.skip("nuscenes-devkit is not installed (pip install --no-deps nuscenes-devkit)")
    file = Path(spec.submodule_search_locations[0]) / "eval" / "panoptic" / "panoptic_seg_evaluator.py"
    spec = importlib.util.spec_from_file_location("panoptic_seg_evaluator", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PanopticEval


@pytest.mark.parametrize("min_points", [1, 15, 50])
def test_equals_the_nuscenes_devkit(official, min_points):
    peer = official(n_classes=5, ignore=[0], min_points=min_points)
    scans = [random_scan(seed) for seed in range(12)]
    for prediction, target in scans:
        peer.addBatch(*(x[None] for x in (*prediction, *target)))
    ours = measure(scans, min_points=min_points).compute()
    pq, sq, rq, *per_class = peer.getPQ()
    miou, iou = peer.getSemIoU()
    np.testing.assert_allclose([ours[k] for k in ("pq", "sq", "rq", "miou")], [pq, sq, rq, miou])
    for key, expected in zip(VALUES, [*per_class, iou], strict=True):
        np.testing.assert_allclose(ours[key][1:], np.asarray(expected)[1:])


def test_unusable_input_is_named():
    good = np.ones(4, int), np.zeros(4, int)
    with pytest.raises(ValueError, match=r"prediction segment holds classes \[9\]"):
        measure([((np.full(4, 9), good[1]), good)])
    with pytest.raises(ValueError, match=r"target segment holds classes \[-1\]"):
        measure([(good, (np.full(4, -1), good[1]))])
    with pytest.raises(ValueError, match=r"prediction instance has shape \(3,\)"):
        measure([((good[0], good[1][:3]), good)])
    with pytest.raises(ValueError, match="things"):
        PanopticQuality(5, things=(0, 1), ignore_index=0)

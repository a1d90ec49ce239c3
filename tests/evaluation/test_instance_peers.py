"""Average precision against torch-pointcloud, and against Pointcept's evaluator where POINTCEPT_ROOT is set.

Each on more than 200 random scenes, one to three of them scored together; every second example has overlapping masks.
"""

import importlib.util
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.instance import instance_average_precision
from tests.fixtures.instance_scenes import SCORES, assert_same, random_scene

SETTINGS = dict(num_classes=4, segment_ignore_index=(-1,), min_points=10)
SWEEP = [(0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9), 0.5, 0.25]


def random_prediction(seed, overlap, noise):
    """A prediction with `masks` and its target; where they may overlap each mask takes in some points at random."""
    prediction, target = random_scene(seed, noise=noise)
    masks = prediction.pop("instance")[None] == np.arange(len(prediction["score"]))[:, None]
    if overlap:
        masks = masks | (np.random.default_rng(seed).random(masks.shape) < 0.1)
    return prediction | {"masks": masks}, target


def has_objects(target):
    """Whether any labeled object is large enough to count."""
    labeled = target["instance"][(target["instance"] >= 0) & (target["segment"] >= 0)]
    return (np.bincount(labeled) >= SETTINGS["min_points"]).any()


def compare_on_random_scenes(compare):
    """compare(scenes) on examples of hypothesis, which repeats some scenes, and a check that 200 differed."""
    seen = set()

    @settings(max_examples=320, deadline=None)
    @given(st.lists(st.integers(0, 10**6), min_size=2, max_size=3), st.booleans(), st.sampled_from([0.0, 0.25, 0.6]))
    def run(seeds, overlap, noise):
        seen.update((seed, overlap, noise) for seed in seeds)
        compare([random_prediction(seed, overlap, noise) for seed in seeds])

    run()
    assert len(seen) >= 200


def test_equals_torch_pointcloud():
    peer = pytest.importorskip("torch_pointcloud.metrics")

    def compare(scenes):
        matches = [
            peer.instance_matches(
                torch.from_numpy(p["masks"]),
                torch.from_numpy(p["category"]),
                torch.from_numpy(p["score"]),
                torch.from_numpy(np.where(t["segment"] < 0, -1, t["instance"])),
                torch.from_numpy(t["segment"]),
            )
            for p, t in scenes
        ]
        theirs = [
            peer.instance_average_precision(matches, iou_threshold=th, num_classes=4, min_points=10) for th in SWEEP
        ]
        if not any(has_objects(target) for _, target in scenes):
            assert theirs == [0, 0, 0]
            theirs = [np.nan] * 3  # nothing to find: undefined to ScanNet's benchmark and to us, 0 to this library
        ours = instance_average_precision(*zip(*scenes, strict=True), **SETTINGS)
        assert_same(ours, dict(zip(SCORES, theirs, strict=True)))

    compare_on_random_scenes(compare)
    compare([random_prediction(38861, overlap=False, noise=0.0)])  # nothing that counts as an object


@pytest.fixture
def pointcept_evaluator(monkeypatch):
    """InsSegEvaluator loaded from its file alone; what it imports for other purposes is replaced by empty modules."""
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        pytest.skip("POINTCEPT_ROOT is not set")
    hooks = Path(root) / "pointcept" / "engines" / "hooks"
    registry = types.SimpleNamespace(register_module=lambda *args, **kwargs: lambda cls: cls)
    stand_ins = {
        "wandb": {},
        "pointops": {},
        "pointcept": {},
        "pointcept.utils": {},
        "pointcept.utils.comm": {},
        "pointcept.utils.misc": {"intersection_and_union_gpu": None},
        "peer_hooks": {"__path__": [str(hooks)]},
        "peer_hooks.default": {"HookBase": object},
        "peer_hooks.builder": {"HOOKS": registry},
    }
    for name, content in stand_ins.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)
    spec = importlib.util.spec_from_file_location("peer_hooks.evaluator", hooks / "evaluator.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    evaluator = module.InsSegEvaluator(segment_ignore_index=(-1, 0))
    data = types.SimpleNamespace(num_classes=4, names=["wall", "chair", "table", "lamp"])
    evaluator.trainer = types.SimpleNamespace(cfg=types.SimpleNamespace(data=data))
    evaluator.before_train()
    evaluator.min_region_sizes = 10
    return evaluator


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_equals_pointcept(pointcept_evaluator):
    names = ["masks", "category", "score"]

    def compare(scenes):
        records = []
        for prediction, target in scenes:
            pred = dict(zip(("pred_masks", "pred_classes", "pred_scores"), map(prediction.get, names), strict=True))
            gt, matched = pointcept_evaluator.associate_instances(
                pred, torch.from_numpy(target["segment"]), torch.from_numpy(target["instance"])
            )
            records.append({"gt": gt, "pred": matched})
        theirs = pointcept_evaluator.evaluate_matches(records)
        ours = instance_average_precision(*zip(*scenes, strict=True), **SETTINGS | dict(segment_ignore_index=(-1, 0)))
        assert_same(ours, {"map": theirs["all_ap"], "ap50": theirs["all_ap_50%"], "ap25": theirs["all_ap_25%"]})
        peer = [theirs["classes"][name]["ap"] for name in ("chair", "table", "lamp")]
        np.testing.assert_allclose(ours["class_ap"][1:], peer, atol=1e-12)

    compare_on_random_scenes(compare)

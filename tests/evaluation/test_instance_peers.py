"""Average precision against torch-pointcloud, and against Pointcept's evaluator where POINTCEPT_ROOT is set."""

import importlib.util
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.evaluation.instance import instance_average_precision
from tests.evaluation.test_instance import SCORES, assert_same, random_scene

SETTINGS = dict(num_classes=4, segment_ignore_index=(-1,), min_points=10)


def masks(prediction):
    return prediction["instance"][None] == np.arange(len(prediction["score"]))[:, None]


def test_equals_torch_pointcloud():
    peer = pytest.importorskip("torch_pointcloud.metrics")
    for seed in range(20):
        scenes = [random_scene(10 * seed + i) for i in range(3)]
        matches = [
            peer.instance_matches(
                torch.from_numpy(masks(p)),
                torch.from_numpy(p["category"]),
                torch.from_numpy(p["score"]),
                torch.from_numpy(np.where(t["segment"] < 0, -1, t["instance"])),
                torch.from_numpy(t["segment"]),
            )
            for p, t in scenes
        ]
        sweep = [(0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9), 0.5, 0.25]
        theirs = [
            peer.instance_average_precision(matches, iou_threshold=th, num_classes=4, min_points=10) for th in sweep
        ]
        assert_same(
            instance_average_precision(*zip(*scenes, strict=True), **SETTINGS), dict(zip(SCORES, theirs, strict=True))
        )


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
    for seed in range(20):
        scenes = [random_scene(10 * seed + i) for i in range(3)]
        records = []
        for prediction, target in scenes:
            pred = {
                "pred_masks": masks(prediction),
                "pred_classes": prediction["category"],
                "pred_scores": prediction["score"],
            }
            gt, matched = pointcept_evaluator.associate_instances(
                pred, torch.from_numpy(target["segment"]), torch.from_numpy(target["instance"])
            )
            records.append({"gt": gt, "pred": matched})
        theirs = pointcept_evaluator.evaluate_matches(records)
        ours = instance_average_precision(*zip(*scenes, strict=True), **SETTINGS | dict(segment_ignore_index=(-1, 0)))
        assert_same(ours, {"map": theirs["all_ap"], "ap50": theirs["all_ap_50%"], "ap25": theirs["all_ap_25%"]})
        peer = [theirs["classes"][name]["ap"] for name in ("chair", "table", "lamp")]
        np.testing.assert_allclose(ours["class_ap"][1:], peer, atol=1e-12)

"""Experiments to test: configs, networks whose weights decide, scenes in fragments, and plain votes to compare with."""

import json
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from pointins_ext.engine.launch import leave_group
from pointins_ext.evaluation import results
from pointins_ext.host import DATASETS, MODELS, TESTERS, Config, build_model
from tests.oracles.tiny_scoring import DATA, EVALUATORS, NUM_CLASSES, ReadsFeatures, Scenes

TASKS = {
    task: {key: value.replace("Evaluator", "Tester") if key == "type" else value for key, value in settings.items()}
    for task, settings in EVALUATORS.items()
}
EPOCH = 3  # in which the checkpoint was written


@DATASETS.register_module("FragmentScenes", force=True)
class FragmentScenes(Scenes):
    """Scenes of `40 + index` points as test pipelines cut them: three augmentations, two overlapping fragments each.

    feat (N,4) of a fragment shows the classes of its points under noise. raw: the labels that count are those of five
    times as many points, of which `inverse` knows the place.
    """

    def make(self, index, rng):
        number = 40 + index
        segment = rng.integers(0, NUM_CLASSES, number)
        fragments = [self.fragment(rng, segment, part) for _ in range(3) for part in range(2)]
        scene = dict(segment=segment, name=f"s{index}", fragment_list=fragments)
        if self.raw:
            inverse = rng.integers(0, number, 5 * number)
            scene |= dict(inverse=inverse, origin_segment=segment[inverse])
        label = scene["origin_segment" if self.raw else "segment"]
        label[rng.random(len(label)) < 0.1] = -1
        return scene

    def fragment(self, rng, segment, part):
        """Half of the points, and a tenth of the others."""
        member = (np.arange(len(segment)) % 2 == part) | (rng.random(len(segment)) < 0.1)
        index = rng.permutation(np.flatnonzero(member))
        feat = 2 * np.eye(NUM_CLASSES)[segment[index]] + rng.normal(0, 1.5, (len(index), NUM_CLASSES))
        return dict(
            feat=torch.as_tensor(feat, dtype=torch.float32),
            index=torch.as_tensor(index),
            offset=torch.tensor([len(index)]),
        )


@MODELS.register_module("MixesFeatures", force=True)
class MixesFeatures(nn.Module):
    """Logits that are linear in the features; all zero until its weights are loaded."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.zeros(NUM_CLASSES, NUM_CLASSES))

    def forward(self, batch):
        assert not self.training and not torch.is_grad_enabled()
        return dict(seg_logits=batch["feat"] @ self.mix)


@MODELS.register_module("ReadsShifted", force=True)
class ReadsShifted(ReadsFeatures):
    """Reads the class after the right one off the features until its weights are loaded.

    overlap: a last instance of the class 2, unlikely, holds every point.
    """

    def __init__(self, overlap=False):
        super().__init__()
        self.shift = nn.Parameter(torch.ones(1))
        self.overlap = overlap

    def forward(self, batch):
        segment, instance = batch["feat"].unbind(1)
        segment = (segment + self.shift.round().long()) % NUM_CLASSES
        result = super().forward(batch | dict(feat=torch.stack([segment, instance], dim=1)))
        if self.overlap:
            more = dict(pred_masks=torch.ones_like(segment)[None], pred_classes=segment.new_tensor([2]))
            more["pred_scores"] = self.shift.new_tensor([0.01])
            result |= {key: torch.cat([result[key], value.to(result[key].dtype)]) for key, value in more.items()}
        return result


def write_weights(path, model="ReadsShifted", **tensors):
    """A checkpoint with the right weights of `model`, some of them replaced by `tensors`; its path as text."""
    noise = torch.randn(NUM_CLASSES, NUM_CLASSES, generator=torch.Generator().manual_seed(0))
    right = dict(
        MixesFeatures=dict(mix=torch.eye(NUM_CLASSES) + 0.2 * noise),
        ReadsShifted=dict(scale=torch.ones(1), shift=torch.zeros(1)),
    )[model]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=right | tensors, epoch=EPOCH), path)
    return str(path)


def experiment(folder, task, dataset=None, model=None, **changes):
    """Config of an experiment in `folder`; its weights are written unless `changes` name others."""
    dataset = dict(type="FragmentScenes" if task == "semantic" else "ScoredScenes") | (dataset or {})
    model = dict(type="MixesFeatures" if task == "semantic" else "ReadsShifted") | (model or {})
    folder.mkdir(parents=True, exist_ok=True)
    if "weight" not in changes:
        changes["weight"] = write_weights(folder / "model" / "model_best.pth", model["type"])
    cfg = dict(data=DATA | dict(test=dataset), model=model, test=TASKS[task], hooks=[])
    return Config(cfg | dict(save_path=str(folder), num_worker_per_gpu=0) | changes)


def build_tester(cfg, **settings):
    return TESTERS.build(dict(cfg.test, cfg=cfg, **settings))


def trained_model(cfg):
    """The network of an experiment with its weights, loaded by torch."""
    model = build_model(cfg.model)
    model.load_state_dict(torch.load(cfg.weight, weights_only=True)["state_dict"])
    return model


def tables(folder, task):
    """(JSON, lines of the CSV) that a test left."""
    path = folder / "results" / task
    return json.loads(path.with_suffix(".json").read_text()), path.with_suffix(".csv").read_text().splitlines()


def saved(folder):
    """Name -> arrays of the predictions in an experiment's folder."""
    return {path.stem: dict(np.load(path)) for path in (folder / "result").glob("*")}


def plain_votes(scene, mix):
    """Class (N,) of the points of a scene: every fragment's probabilities added up point by point."""
    votes = np.zeros((len(scene["segment"]), NUM_CLASSES))
    for fragment in scene["fragment_list"]:
        for point, feat in zip(fragment["index"].tolist(), fragment["feat"].double().numpy(), strict=True):
            power = np.exp(feat @ mix)
            votes[point] += power / power.sum()
    return votes.argmax(1)


def plain_iou(pairs):
    """Intersection over union of each class over (prediction, target) of all scenes."""
    prediction, target = (np.concatenate(part) for part in zip(*pairs, strict=True))
    prediction, target = prediction[target >= 0], target[target >= 0]
    both = [((prediction == i) & (target == i)).sum() for i in range(NUM_CLASSES)]
    any_ = [((prediction == i) | (target == i)).sum() for i in range(NUM_CLASSES)]
    return np.array(both) / np.array(any_)


def two_ranks(rank, store, folder):
    """One of two processes: every tester over five scenes, and which scenes this process saved."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", world_size=2, rank=rank)
    answers = {}
    for task in TASKS:
        cfg = experiment(folder / task, task, weight=str(folder / f"{task}.pth"))
        with mock.patch.object(results, "save_prediction", wraps=results.save_prediction) as save:
            result = build_tester(cfg, save=True).test()
        names = [call.args[1] for call in save.call_args_list]
        answers[task] = names, {key: torch.as_tensor(value) for key, value in result.items()}
    torch.save(answers, folder / f"answer{rank}")
    leave_group()

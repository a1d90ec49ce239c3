"""Labelled scenes whose features are the predictions, a model that reads them off, and plain scores to compare with."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from pointins_ext.engine.launch import leave_group
from pointins_ext.evaluation import InstanceAveragePrecision, PanopticQuality
from pointins_ext.evaluation.semantic import SemanticSegmentation
from pointins_ext.host import DATASETS, HOOKS, MODELS, Config, comm, point_collate_fn

NUM_CLASSES = 4
THINGS = (2, 3)
NAMES = ["wall", "floor", "chair", "table"]
MIN_POINTS = 20
DATA = dict(num_classes=NUM_CLASSES, ignore_index=-1, names=NAMES)
EVALUATORS = dict(
    semantic=dict(type="SemanticEvaluator"),
    instance=dict(type="InstanceEvaluator", segment_ignore_index=(-1, 0, 1), min_points=MIN_POINTS),
    panoptic=dict(type="PanSegEvaluator", things=THINGS, min_points=MIN_POINTS),
)


class Scenes(Dataset):
    """Base: `num_scenes` scenes, each made from its index alone. raw: whether a scene knows its raw points."""

    def __init__(self, num_scenes=5, raw=True):
        self.num_scenes, self.raw = num_scenes, raw

    def __len__(self):
        return self.num_scenes

    def __getitem__(self, index):
        if index >= self.num_scenes:
            raise IndexError(index)
        return self.make(index, np.random.default_rng(index))

    def make(self, index, rng):
        raise NotImplementedError


@DATASETS.register_module("ScoredScenes", force=True)
class ScoredScenes(Scenes):
    """Scenes of some hundred raw points around `30 + index` voxels; `noise`: share of voxels predicted at random.

    feat (V,2) holds the predicted class and instance of each voxel, 0 = none. A tenth of the labels is unknown.
    """

    def __init__(self, noise=0.3, objects=True, **options):
        super().__init__(**options)
        self.noise, self.objects = noise, objects

    def make(self, index, rng):
        number = 30 + index
        coord = rng.permutation(1000)[:number, None] // np.array([100, 10, 1]) % 10.0
        instance = np.sort(rng.integers(0, 6, number))
        segment = np.array([0, 2, 3, 1, 2, 3])[instance]
        if not self.objects:
            segment = segment % 2
        noisy = rng.random(number) < self.noise
        feat = np.where(noisy[:, None], rng.integers([0, 0], [NUM_CLASSES, 6], (number, 2)), np.c_[segment, instance])
        feat[~np.isin(feat[:, 0], THINGS), 1] = 0
        owner = np.concatenate([np.arange(number), rng.integers(0, number, 12 * number)])
        labels = dict(segment=segment, instance=np.where(np.isin(segment, THINGS), instance, -1))
        origin = {key: value[owner] for key, value in labels.items()}
        origin["segment"] = np.where(rng.random(len(owner)) < 0.1, -1, origin["segment"])
        scene = dict(coord=coord, feat=feat, **labels)
        if self.raw:
            origin["coord"] = coord[owner] + rng.uniform(-0.4, 0.4, (len(owner), 3))
            scene |= {f"origin_{key}": value for key, value in origin.items()}
        arrays = {key: torch.as_tensor(value, dtype=torch.float32) for key, value in scene.items() if "coord" in key}
        arrays |= {key: torch.as_tensor(value) for key, value in scene.items() if "coord" not in key}
        counts = dict(offset="coord", origin_offset="origin_coord") if self.raw else dict(offset="coord")
        return arrays | {key: torch.tensor([len(arrays[of])]) for key, of in counts.items()} | dict(name=f"s{index}")


@MODELS.register_module("ReadsFeatures", force=True)
class ReadsFeatures(nn.Module):
    """All results that evaluators know, from the features; in training mode it has none, and it draws a number."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, batch):
        torch.rand(1)
        assert not self.training and not torch.is_grad_enabled()
        segment, instance = batch["feat"][:, 0], batch["feat"][:, 1]
        logits = nn.functional.one_hot(segment, NUM_CLASSES) * self.scale
        result = dict(seg_logits=logits, pred_segment=segment, pred_instance=instance)
        ids = instance[instance > 0].unique()
        masks = instance == ids[:, None]
        result["pred_masks"] = masks.int()
        result["pred_classes"] = torch.stack([segment[mask].mode().values for mask in masks] or [segment[0]])[
            : len(ids)
        ]
        result["pred_scores"] = 1 / (1 + ids.float())
        if "segment" in batch:
            result["loss"] = (segment != batch["segment"]).float().mean()
        return result


def loader(dataset, batch_size=1):
    sampler = DistributedSampler(dataset, shuffle=False) if comm.get_world_size() > 1 else None
    return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=partial(point_collate_fn, mix_prob=0))


class Notes:
    """Logger and TensorBoard writer that remember."""

    def __init__(self):
        self.scalars, self.lines, self.warnings = {}, [], []

    def add_scalar(self, name, value, step):
        self.scalars[name, step] = value

    def info(self, line):
        self.lines.append(line)

    def warning(self, line):
        self.warnings.append(line)


def trainer(folder, dataset=None, batch_size=1, **changes):
    """What an evaluator sees of a trainer, after an epoch."""
    notes = Notes()
    cfg = Config(dict(data=DATA, save_path=str(folder), evaluate=True))
    made = dict(cfg=cfg, model=ReadsFeatures().train(), val_loader=loader(dataset or ScoredScenes(), batch_size))
    made |= dict(logger=notes, writer=notes if comm.is_main_process() else None, comm_info={}, epoch=0, start_epoch=0)
    return SimpleNamespace(**made | dict(max_epoch=4, best_metric_value=-1.0) | changes)


def evaluate(made, task, **changes):
    """Run the evaluator of `task` over one epoch of a trainer, and return it."""
    hook = HOOKS.build(EVALUATORS[task] | changes)
    hook.trainer = made
    hook.before_train()
    hook.after_epoch()
    return hook


def raw_predictions(dataset):
    """(predicted class and instance (N,2), class (N,), instance (N,)) of each scene, by all distances."""
    for scene in dataset:
        distance = np.linalg.norm(scene["origin_coord"].numpy()[:, None] - scene["coord"].numpy()[None], axis=2)
        nearest = distance.argmin(1)
        yield scene["feat"].numpy()[nearest], scene["origin_segment"].numpy(), scene["origin_instance"].numpy()


def plain_objects(scene):
    """(id, most frequent class) of the predicted instances of a scene, by ascending id."""
    voxels = scene["feat"].numpy()
    ids = np.unique(voxels[voxels[:, 1] > 0, 1])
    return ids, np.array([np.bincount(voxels[voxels[:, 1] == i, 0]).argmax() for i in ids], np.int64)


def plain_score(task, dataset):
    """The score of a task by the plain accumulators, scene by scene."""
    if task == "semantic":
        metric = SemanticSegmentation(NUM_CLASSES)
        for found, segment, _ in raw_predictions(dataset):
            metric.update(found[:, 0], segment)
        return metric.compute()
    if task == "panoptic":
        metric = PanopticQuality(NUM_CLASSES, THINGS, min_points=MIN_POINTS)
        for found, segment, instance in raw_predictions(dataset):
            metric.update(found.T, (segment, np.where(np.isin(segment, THINGS), instance, 0)))
        return metric.compute()
    metric = InstanceAveragePrecision(NUM_CLASSES, segment_ignore_index=(-1, 0, 1), min_points=MIN_POINTS)
    for scene, (found, segment, instance) in zip(dataset, raw_predictions(dataset), strict=True):
        ids, category = plain_objects(scene)
        masks = found[:, 1] == ids[:, None]
        prediction = dict(masks=masks, score=1 / (1 + ids.astype(np.float32)), category=category)
        metric.update(prediction, dict(segment=segment, instance=instance))
    return metric.compute()


def two_ranks(rank, store, folder):
    """One of two processes: all evaluators over five scenes, of which each process gets three."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", world_size=2, rank=rank)
    answers = {}
    for task in EVALUATORS:
        made = trainer(f"{folder}/{task}", batch_size=1 if task == "instance" else 2)
        made.model = nn.parallel.DistributedDataParallel(made.model)
        evaluate(made, task)
        answers[task] = made.comm_info, made.logger.scalars
    torch.save(answers, f"{folder}/answer{rank}")
    leave_group()

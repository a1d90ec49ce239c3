"""Classes and instances of raw scans from a checkpoint that was trained on labels, of either host."""

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from pointins_ext.checkpoint import read_checkpoint
from pointins_ext.datasets.frame import check_units, check_up
from pointins_ext.datasets.scans import prepare_scan
from pointins_ext.datasets.values import WIDTH
from pointins_ext.engine.scoring import evaluation_mode, own_randomness
from pointins_ext.engine.step import to_device
from pointins_ext.errors import UserError
from pointins_ext.evaluation.results import class_names
from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic, Task, scenes
from pointins_ext.host import Compose, Config, point_collate_fn
from pointins_ext.inference.load import (
    best_device,
    build_network,
    experiment_config,
    is_pretraining,
    pretrained_predictor,
)
from pointins_ext.inference.predictor import Predictor, require_extent
from pointins_ext.ops import as_array, segment_mean

# Type of a segmentor -> what reads its result, of the number of classes; what things are matters to scores alone
TASKS: dict[str, Callable[..., Task]] = {
    "PG-v1m2": Instance,
    "PanSeg-v1m1": partial(Panoptic, things=()),
    "DefaultSegmentorV2": Semantic,
}
# Steps of a validation pipeline that need labels, or leave points of the scan out
LEFT_OUT = ("CheckLabels", "ObjectSegment", "CropBoundary", "SphereCrop", "RandomDropout")
MOST_CLASSES = 6  # named in a summary


@dataclass(frozen=True)
class LabeledScan:
    """What a fine-tuned network says of one scan of N points, I instances and K classes."""

    segment: np.ndarray  # (N,) class, 0..K-1
    names: tuple[str, ...]  # (K,)
    # None where the checkpoint knows classes alone
    instance: np.ndarray | None = None  # (N,) 0..I-1, -1 = none
    category: np.ndarray | None = None  # (I,) class of each instance
    score: np.ndarray | None = None  # (I,) mean probability of its class on its voxels
    offset: np.ndarray | None = None  # (N, 3) towards the instance center, in the unit of the scan

    def summary(self) -> str:
        """How many instances there are of which class, and the share of the points in the most frequent classes."""
        share = np.bincount(self.segment, minlength=len(self.names)) / len(self.segment)
        order = [i for i in np.argsort(-share, kind="stable") if share[i] > 0]
        text = ", ".join(f"{self.names[i]} {share[i]:.0%}" for i in order[:MOST_CLASSES])
        text += ", ..." if len(order) > MOST_CLASSES else ""
        if self.category is None:
            return text
        count = np.bincount(self.category, minlength=len(self.names))
        objects = ", ".join(f"{self.names[i]} {count[i]}" for i in np.argsort(-count, kind="stable") if count[i])
        return f"{len(self.category)} instances{f' ({objects})' if objects else ''}; {text}"


class FinetunedPredictor:
    """Runs a segmentor over whole scans in one pass, prepared as the validation scenes of its experiment.

    All voxels are covered, once: no fragments, no test-time augmentation, even where the experiment's tester has them.
    `kind`: type of the model; `transform`: steps of the validation pipeline; `names`: of the classes; `scale`: meters
    of the scan to meters of the network. Raises ValueError if the pipeline makes no voxels with features, or if
    the names do not fit the model.
    """

    def __init__(self, model, kind: str, transform, names=None, scale: float = 1.0):
        self.model = model
        self.kind = kind
        num_classes = model.seg_head.out_features
        self.names = tuple(class_names(Config(dict(num_classes=num_classes, names=names))))
        self.task = TASKS[kind](num_classes)
        self.scale = scale
        self.grid_size, self.feat_keys, self.transform = _read_pipeline(transform)

    @classmethod
    def from_config(cls, model, cfg) -> "FinetunedPredictor":
        """Settings of a downstream config: pipeline and scale of its validation split, else of its test split."""
        data = cfg.get("data") or {}
        split = data.get("val") or data.get("test") or {}
        while split.get("datasets"):  # of several data sets, the first
            split = split["datasets"][0]
        transform, scale = split.get("transform") or (), split.get("scale", 1.0)
        return cls(model, cfg.model["type"], transform, data.get("names"), scale)

    def check_frame(self, coord: np.ndarray, source: str, up_known: bool = False) -> None:
        """Warns (ScanWarning) of signs that z is not up or that the unit is another, as `Predictor.check_frame`."""
        require_extent(coord, self.grid_size / self.scale, f"{source}: ")
        if not up_known:
            check_up(coord, source)
        check_units(coord, self.grid_size / self.scale, source)

    def __call__(self, scene: dict) -> LabeledScan:
        """Classes and instances of a scene as `read_scan` gives it; its labels are not read.

        Raises ValueError if it lacks a channel that the network reads.
        """
        device = next(self.model.parameters()).device
        with evaluation_mode(self.model), torch.no_grad(), own_randomness():
            # the random numbers of an evaluator's first scene: GridSample draws the point that stands for its voxel
            batch = to_device(point_collate_fn([self.transform(self._sample(scene))]), device)
            batch.pop("segment", None)  # without classes no losses are computed, which some hosts cannot do of nothing
            torch.manual_seed(0)
            with _heads(self.model) as heads:
                result = self.model(batch)
        return self._decode(result, batch, heads["seg_head"].float().softmax(1), heads.get("bias_head"))

    def _sample(self, scene):
        scene = prepare_scan(scene, self.scale)
        missing = [key for key in self.feat_keys if key in WIDTH and key not in scene]
        if missing:
            raise UserError(
                f"the checkpoint needs {', '.join(missing)} for every point; the scan has {', '.join(sorted(scene))}"
            )
        # copies: Pointcept's transforms write into the arrays that they are given
        sample = {key: np.copy(scene[key]) for key in WIDTH if key in scene}
        nothing = {key: np.full(len(scene["coord"]), -1, np.int32) for key in ("segment", "instance")}
        return sample | nothing | dict(name="scan", split="scan")

    def _decode(self, result, batch, probability, bias):
        """LabeledScan of what the evaluator of this task reads, and of all points that have no instance."""
        found = self.task.read(result, batch)
        (scene,) = scenes(batch)
        probability, nearest = as_array(probability), scene["nearest"]
        # PointGroup gives classes to instances alone
        segment = np.where(found["segment"] < 0, probability.argmax(1), found["segment"])
        if "instance" not in found:
            return LabeledScan(segment[nearest], self.names)
        instance = found["instance"] - (self.kind == "PanSeg-v1m1")  # whose ids begin at 1
        member, number = instance >= 0, int(instance.max(initial=-1)) + 1
        category = np.zeros(number, np.int64)
        category[instance[member]] = segment[member]
        own = torch.as_tensor(probability[member, segment[member]])
        score = segment_mean(own, torch.as_tensor(instance[member]), number).numpy()
        raw = instance[nearest]
        ids = np.unique(raw[raw >= 0])  # masks of PointGroup may lie below better ones
        return LabeledScan(
            segment[nearest],
            self.names,
            np.where(raw < 0, -1, np.searchsorted(ids, raw)),
            category[ids],
            score[ids],
            as_array(bias)[nearest] / np.float32(self.scale),
        )


def load_segmenter(
    weight: str | os.PathLike,
    network: str = "teacher",
    device=None,
    grid_size: float | None = None,
    config: str | os.PathLike | None = None,
) -> Predictor | FinetunedPredictor:
    """Predictor of a checkpoint of either host: pretraining with the branch, or one of `TASKS`.

    Arguments as in `load_predictor`; `network` is that of pretraining. Raises ValueError, with what was found,
    if the checkpoint is another.
    """
    checkpoint = read_checkpoint(weight)
    state = checkpoint["state_dict"]
    if is_pretraining(state):
        return pretrained_predictor(checkpoint, weight, network, device, grid_size, config)
    expected = f"expected a pretraining with teacher.offset_head, or one of {', '.join(TASKS)} with its seg_head"
    if not any(key.removeprefix("module.").startswith("seg_head.") for key in state):
        raise UserError(f"{weight}: found {len(state)} tensors, like {next(iter(state))!r}; {expected}")
    cfg = experiment_config(checkpoint, weight, config)
    if cfg.model.get("type") not in TASKS:
        raise UserError(f"{weight}: found a model of type {cfg.model.get('type')!r}; {expected}")
    device = best_device(device)
    model = build_network(cfg, state, weight, device).to(device).eval()
    try:
        predictor = FinetunedPredictor.from_config(model, cfg)
    except UserError as error:
        raise UserError(f"config of {weight}: {error}") from error
    if grid_size is not None:
        predictor.scale = predictor.grid_size / grid_size
    return predictor


def _read_pipeline(transform):
    """(voxel, channels, Compose) of a validation pipeline for scans without labels, all points of them."""
    steps = [dict(step) for step in transform if step["type"] not in LEFT_OUT]
    grid = next((step for step in steps if step["type"] == "GridSample"), None)
    collect = next((step for step in steps if step["type"] == "Collect" and "feat_keys" in step), None)
    if grid is None or collect is None or grid.get("mode", "train") != "train":
        raise UserError(
            "data.val.transform must have GridSample (mode='train') and Collect with feat_keys; found "
            f"{', '.join(step['type'] for step in steps) or 'no step'}: give the config of a run that was validated "
            "as config=FILE (--config)"
        )
    if not {"origin_coord", "inverse"} & set(collect["keys"]):
        # no way back to the raw points: keep the one that GridSample knows
        grid["return_inverse"] = True
        collect["keys"] = (*collect["keys"], "inverse")
    return grid["grid_size"], tuple(collect["feat_keys"]), Compose(steps)


@contextmanager
def _heads(model):
    """Meanwhile the outputs of the model's heads are kept by name: hosts do not return them all."""
    outputs = {}

    def keep(name):
        return lambda module, inputs, output: outputs.update({name: output})

    names = [name for name in ("seg_head", "bias_head") if hasattr(model, name)]
    handles = [getattr(model, name).register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()

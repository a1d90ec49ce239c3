"""The three downstream tasks: which predictions of a model are scored, on the raw points of each scene."""

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.evaluation.instance import InstanceAveragePrecision
from pointins_ext.evaluation.label_free import to_raw
from pointins_ext.evaluation.panoptic import PanopticQuality
from pointins_ext.evaluation.semantic import SemanticSegmentation
from pointins_ext.ops import as_array


class Task:
    """What is read from a model's result and how it is scored; knows neither host nor loop.

    `name` names the result files, `best` is the entry of the metric that chooses the checkpoint, `ignored` are the
    classes that are not scored.
    """

    name = best = ""
    ignored: tuple[int, ...] = ()

    def new_metric(self):
        """An accumulator with update, merge and compute."""
        raise NotImplementedError

    def read(self, result, batch):
        """Per-point arrays (N, ...) of a model's result; under "objects" those of its instances."""
        raise NotImplementedError

    def score(self, metric, prediction, target):
        """Adds a scene: what `predictions` gives of it."""
        raise NotImplementedError

    def overlooked(self, target):
        """Classes of a scene that have instances, but are not scored as instances."""
        return set()

    def predictions(self, result, batch):
        """List of (prediction, target) for the scenes of a batch, dicts of arrays on raw points.

        With origin_coord in the batch each raw point takes the prediction of its nearest voxel in its scene.
        """
        found = self.read(result, batch)
        objects = found.pop("objects", {})
        return [
            ({key: value[scene["voxels"]][scene["nearest"]] for key, value in found.items()} | objects, scene)
            for scene in scenes(batch)
        ]


class Semantic(Task):
    """mIoU of `seg_logits`."""

    name, best = "semantic", "miou"

    def __init__(self, num_classes, ignore_index=-1):
        self.num_classes, self.ignore_index = num_classes, ignore_index

    def new_metric(self):
        return SemanticSegmentation(self.num_classes, self.ignore_index)

    def read(self, result, batch):
        return dict(segment=as_array(result["seg_logits"].argmax(1)))

    def score(self, metric, prediction, target):
        metric.update(prediction["segment"], target["segment"])


class Instance(Task):
    """Average precision of `pred_masks` (P,N), `pred_scores` and `pred_classes` (P,), one scene a batch.

    A prediction has instance (N,), the best-scored mask of each point, -1 = none, its class as segment, and, where
    masks overlap, masks (N,P).
    """

    name, best = "instance", "map"

    def __init__(self, num_classes, segment_ignore_index=(-1,), instance_ignore_index=-1, min_points=100):
        self.ignored = tuple(segment_ignore_index)
        self.settings = dict(
            num_classes=num_classes,
            segment_ignore_index=self.ignored,
            instance_ignore_index=instance_ignore_index,
            min_points=min_points,
        )

    def new_metric(self):
        return InstanceAveragePrecision(**self.settings)

    def read(self, result, batch):
        if len(batch["offset"]) != 1:
            raise UserError(
                f"pred_masks are those of one scene, the batch has {len(batch['offset'])}: set batch_size_val=None"
            )
        masks = as_array(result["pred_masks"]).astype(bool)
        score, category = as_array(result["pred_scores"]), as_array(result["pred_classes"]).astype(np.int64)
        instance, segment = np.full((2, masks.shape[1]), -1)
        for i in np.argsort(score, kind="stable"):
            instance[masks[i]], segment[masks[i]] = i, category[i]
        overlap = dict(masks=masks.T) if masks.sum(0).max(initial=0) > 1 else {}
        return dict(segment=segment, instance=instance, objects=dict(score=score, category=category), **overlap)

    def score(self, metric, prediction, target):
        masks = dict(masks=prediction["masks"].T) if "masks" in prediction else {}
        metric.update(prediction | masks, target)

    def overlooked(self, target):
        on_object = target["instance"] != self.settings["instance_ignore_index"]
        return set(target["segment"][on_object].tolist()) & {i for i in self.ignored if i >= 0}


class Panoptic(Task):
    """PQ of `pred_segment` and `pred_instance`, by the official rules (15 points in nuScenes, 50 in SemanticKITTI).

    A class of stuff is one segment whatever its instance ids; points of things without an instance form a segment.
    """

    name, best = "panoptic", "pq"

    def __init__(self, num_classes, things, ignore_index=-1, instance_ignore_index=-1, min_points=15):
        self.settings = dict(num_classes=num_classes, things=things, ignore_index=ignore_index, min_points=min_points)
        self.things = np.array(sorted(things))
        self.instance_ignore_index = instance_ignore_index

    def new_metric(self):
        return PanopticQuality(**self.settings)

    def read(self, result, batch):
        return dict(segment=as_array(result["pred_segment"]), instance=as_array(result["pred_instance"]))

    def score(self, metric, prediction, target):
        metric.update(self._pair(prediction), self._pair(target))

    def overlooked(self, target):
        on_object = target["instance"] != self.instance_ignore_index
        return set(target["segment"][on_object & (target["segment"] >= 0)].tolist()) - set(self.things.tolist())

    def _pair(self, scene):
        thing = np.isin(scene["segment"], self.things)
        return scene["segment"], np.where(thing, scene["instance"], self.instance_ignore_index)


def scenes(batch):
    """List of the scenes of a batch, each a dict of `voxels`, its slice; `nearest`, the voxel of each of its raw points
    or, without them, all; segment and instance of these points, where known.

    Raw points are in origin_coord, or, in a batch of one scene, known by `inverse`, the voxel that holds each.
    """
    raw = "origin_" if "origin_coord" in batch or "inverse" in batch else ""
    labels = {key: as_array(batch[raw + key]).reshape(-1) for key in ("segment", "instance") if raw + key in batch}
    voxels = _slices(batch["offset"])
    if "origin_coord" in batch:
        points = _slices(batch["origin_offset"])
        coord, origin = as_array(batch["coord"]), as_array(batch["origin_coord"])
        nearest = [
            to_raw(np.arange(len(coord[own])), coord[own], origin[those])
            for own, those in zip(voxels, points, strict=True)
        ]
    elif raw and len(voxels) > 1:
        raise UserError(
            f"a batch of {len(voxels)} scenes with 'inverse' needs origin_coord, too: add it to Copy and Collect in "
            "data.val.transform, or set batch_size_val=None"
        )
    else:
        points = [slice(None)] if raw else voxels
        nearest = [as_array(batch["inverse"])] if raw else [np.arange(own.stop - own.start) for own in voxels]
    return [
        dict({key: value[those] for key, value in labels.items()}, voxels=own, nearest=near)
        for own, those, near in zip(voxels, points, nearest, strict=True)
    ]


def _slices(offset):
    ends = as_array(offset).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

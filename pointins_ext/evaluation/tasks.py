"""The three downstream tasks: which predictions of a model are scored, on the raw points of each scene."""

import numpy as np

from pointins_ext.evaluation.instance import InstanceAveragePrecision, as_array
from pointins_ext.evaluation.label_free import to_raw
from pointins_ext.evaluation.panoptic import PanopticQuality
from pointins_ext.evaluation.semantic import SemanticSegmentation


class Task:
    """Reads what a model says of the voxels of a batch, maps it to raw points, and keeps the score.

    A batch with origin_coord has raw points: each takes the prediction of its nearest voxel. `name` names the result
    files, `best` the entry of the result that chooses the checkpoint, `title` is how it is written.
    """

    ignored = ()  # classes that are not scored

    def reset(self):
        self.metric = self.new_metric()
        self.forgotten = set()  # ignored classes that have instances all the same

    def update(self, result, batch):
        """Score one batch; returns a dict of raw-point predictions for each of its scenes."""
        predictions = self.read(result)
        found = []
        for scene in scenes(batch):
            prediction = {key: value[scene["voxels"]] for key, value in predictions.items() if key != "objects"}
            if "origin_coord" in scene:
                nearest = to_raw(np.arange(len(scene["coord"])), scene["coord"], scene["origin_coord"])
                prediction = {key: value[nearest] for key, value in prediction.items()}
            prediction |= predictions.get("objects", {})
            self.score(prediction, scene)
            found.append(prediction)
        return found


class Semantic(Task):
    """mIoU of `seg_logits`."""

    name, best, title = "semantic", "miou", "mIoU"

    def __init__(self, num_classes, ignore_index=-1):
        self.num_classes, self.ignore_index = num_classes, ignore_index

    def new_metric(self):
        return SemanticSegmentation(self.num_classes, self.ignore_index)

    def read(self, result):
        return dict(segment=as_array(result["seg_logits"].argmax(1)))

    def score(self, prediction, scene):
        self.metric.update(prediction["segment"], scene["segment"])


class Instance(Task):
    """Average precision of `pred_masks`, which must not overlap, in one scene a batch."""

    name, best, title = "instance", "map", "mAP"

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

    def read(self, result):
        masks = as_array(result["pred_masks"]).astype(bool)
        if masks.sum(0).max(initial=0) > 1:
            raise ValueError("pred_masks overlap; average precision is computed on points that have one instance each")
        instance = np.where(masks.any(0), masks.argmax(0), -1) if len(masks) else np.full(masks.shape[1], -1)
        score, category = as_array(result["pred_scores"]), as_array(result["pred_classes"]).astype(np.int64)
        return dict(instance=instance, objects=dict(score=score, category=category))

    def score(self, prediction, scene):
        self.metric.update(prediction, scene)
        labelled = scene["instance"] != self.settings["instance_ignore_index"]
        self.forgotten |= set(scene["segment"][labelled].tolist()) & {i for i in self.ignored if i >= 0}


class Panoptic(Task):
    """PQ of `pred_segment` and `pred_instance`, by the official rules (15 points in nuScenes, 50 in SemanticKITTI)."""

    name, best, title = "panoptic", "pq", "PQ"

    def __init__(self, num_classes, things, ignore_index=-1, min_points=15):
        self.settings = dict(num_classes=num_classes, things=things, ignore_index=ignore_index, min_points=min_points)
        self.things = np.array(sorted(things))

    def new_metric(self):
        return PanopticQuality(**self.settings)

    def read(self, result):
        return dict(segment=as_array(result["pred_segment"]), instance=as_array(result["pred_instance"]))

    def score(self, prediction, scene):
        thing = np.isin(scene["segment"], self.things)  # ids of stuff must not split it
        target = scene["segment"], np.where(thing, scene["instance"] + 1, 0)
        self.metric.update((prediction["segment"], prediction["instance"]), target)


def scenes(batch):
    """For each scene of a batch: `voxels`, a slice; coord; raw segment and instance where known; origin_coord; name."""
    bounds = {key: np.append(0, as_array(batch[key])) for key in ("offset", "origin_offset") if key in batch}
    raw = "origin_" if "origin_coord" in batch else ""
    for i in range(len(bounds["offset"]) - 1):
        scene = dict(voxels=slice(*bounds["offset"][i : i + 2]))
        scene["coord"] = as_array(batch["coord"][scene["voxels"]])
        points = slice(*bounds[f"{raw}offset"][i : i + 2])
        for key in ("segment", "instance"):
            if f"{raw}{key}" in batch:
                scene[key] = as_array(batch[f"{raw}{key}"][points]).reshape(-1)
        if raw:
            scene["origin_coord"] = as_array(batch["origin_coord"][points])
        names = batch.get("name")
        yield dict(scene, name=names if isinstance(names, str) or names is None else names[i])

"""Evaluators: after every epoch the validation split is scored on raw points; the best checkpoint follows the score."""

import math

import torch

from pointins_ext.evaluation import results
from pointins_ext.evaluation.label_free import cluster_offsets, components, evaluate_label_free
from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic
from pointins_ext.hooks.common import pointins_model
from pointins_ext.host import HOOKS, HookBase, build_dataset, comm
from pointins_ext.inference import MIN_VOXELS, RADIUS_VOXELS, REACH_VOXELS, Predictor


def run_batches(model, loader, task):
    """Score every batch of `loader`, on the model's device; yields (batch, result, predictions).

    The model is in evaluation mode meanwhile. A sampler that fills the last round of the processes repeats scenes from
    the front; they come last, and do not count.
    """
    device = next(model.parameters()).device
    left = len(loader.dataset) - comm.get_rank()
    was_training = model.training
    model.eval()
    task.reset()
    with torch.no_grad():
        for batch in loader:
            batch = {k: v.to(device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}
            if left > 0:
                result = model(batch)
                yield batch, result, task.update(result, batch)
            left -= len(batch["offset"]) * comm.get_world_size()
    model.train(was_training)


def joined_score(task):
    """Result of the metric over the scenes of all processes, the same on each."""
    first, *others = comm.all_gather(task.metric)
    for metric in others:
        first.merge(metric)
    return first.compute()


class TaskEvaluator(HookBase):
    """Base: a subclass says which task. Needs evaluate=True and data.val; stands before CheckpointSaver."""

    def new_task(self, data):
        raise NotImplementedError

    def before_train(self):
        data = self.trainer.cfg.data
        self.task, self.names = self.new_task(data), list(data.names)
        scored = [name for i, name in enumerate(self.names) if i not in self.task.ignored]
        left_out = [name for i, name in enumerate(self.names) if i in self.task.ignored]
        ignored = f"; ignored: {', '.join(left_out)}" if left_out else ""
        self.trainer.logger.info(f"Evaluation: {self.task.title} of {len(scored)} classes{ignored}")

    def after_epoch(self):
        if self.trainer.cfg.evaluate:
            self.evaluate()

    def evaluate(self):
        trainer, losses = self.trainer, {}
        for _, result, _ in run_batches(trainer.model, trainer.val_loader, self.task):
            for name, value in result.items():
                if "loss" in name:
                    losses.setdefault(name, []).append(float(value))
        score = joined_score(self.task)
        if self.task.forgotten and trainer.epoch == trainer.start_epoch:
            classes = ", ".join(self.names[i] for i in sorted(self.task.forgotten))
            trainer.logger.warning(f"segment_ignore_index leaves out classes that have instances: {classes}")
        trainer.logger.info(f"Validation:\n{results.render(score, self.names, self.task.ignored)}")
        value = score[self.task.best]
        if math.isnan(value):
            trainer.logger.warning(f"{self.task.title}: no class has an object in the validation split; it counts as 0")
            value = 0.0
        trainer.comm_info.update(current_metric_value=value, current_metric_name=self.task.title)
        if comm.is_main_process():
            results.save(
                trainer.cfg.save_path, self.task.name, score, self.names, self.task.ignored, epoch=trainer.epoch + 1
            )
        means = results.split_classes(score)[0] | {name: sum(v) / len(v) for name, v in losses.items()}
        if trainer.writer is not None:
            for name, value in means.items():
                trainer.writer.add_scalar(f"val/{name}", value, trainer.epoch + 1)

    def after_train(self):
        best = f"{self.trainer.best_metric_value:.4f}"
        self.trainer.logger.info(f"Best {self.task.title}: {best}")


@HOOKS.register_module()
class SemanticEvaluator(TaskEvaluator):
    """mIoU of a segmentor that gives `seg_logits`."""

    def new_task(self, data):
        return Semantic(data.num_classes, data.ignore_index)


@HOOKS.register_module()
class InstanceEvaluator(TaskEvaluator):
    """ScanNet's average precision of a segmentor that gives `pred_masks`, one scene a batch.

    segment_ignore_index: classes that are not scored, listed one by one; a warning names those that have instances.
    min_points: smaller objects and predictions do not count (raw points).
    """

    def __init__(self, segment_ignore_index=(-1,), instance_ignore_index=-1, min_points=100):
        self.settings = dict(
            segment_ignore_index=segment_ignore_index,
            instance_ignore_index=instance_ignore_index,
            min_points=min_points,
        )

    def new_task(self, data):
        return Instance(data.num_classes, **self.settings)


@HOOKS.register_module()
class PanSegEvaluator(TaskEvaluator):
    """Panoptic quality of PanSeg-v1m1. min_points: 15 in nuScenes, 50 in SemanticKITTI."""

    def __init__(self, things, min_points=15):
        self.settings = dict(things=things, min_points=min_points)

    def new_task(self, data):
        return Panoptic(data.num_classes, ignore_index=data.ignore_index, **self.settings)


@HOOKS.register_module()
class UnsupervisedInsEvaluator(HookBase):
    """Label-free instances during pretraining: class-agnostic AP of the teacher's offsets (METHOD 5.7).

    data: a dataset whose scenes have `instance`; it is read, not trained on. Every `every` epochs the components of the
    shifted voxels (`radius_voxels` apart) are scored on raw points beside those of the voxels as they lie, TensorBoard
    `unsupervised/`. limit: scenes that are scored.
    """

    def __init__(self, data, every=1, radius_voxels=RADIUS_VOXELS, limit=16):
        self.data = data
        self.every = every
        self.radius_voxels = radius_voxels
        self.limit = limit

    def before_train(self):
        self.model = pointins_model(self.trainer, "UnsupervisedInsEvaluator")
        dataset = build_dataset(self.data)
        self.scenes = [dataset.get_data(i) for i in range(min(self.limit, len(dataset)))]

    def after_epoch(self):
        if (self.trainer.epoch + 1) % self.every:
            return
        if comm.is_main_process():
            self._evaluate()
        comm.synchronize()

    def _evaluate(self):
        predictor = Predictor.from_config(self.model.teacher, self.trainer.cfg)
        voxel = predictor.grid_size / predictor.scale
        for scene in self.scenes:
            prediction = predictor(scene)
            scene["voxels"] = dict(coord=prediction.coord, offset=prediction.offset)
        size = dict(min_points=MIN_VOXELS, reach=REACH_VOXELS * voxel)
        methods = dict(
            pointins=lambda v: cluster_offsets(v["coord"], v["offset"], self.radius_voxels * voxel, **size),
            components=lambda v: components(v["coord"], 1.25 * voxel, **size),
        )
        table = evaluate_label_free(self.scenes, methods, grid_size=predictor.grid_size)
        for name, scores in table.items():
            values = {key: scores[key] for key in ("map", "ap50", "ap25", "recall50_touching")}
            text = " ".join(f"{key} {value:.4f}" for key, value in values.items())
            self.trainer.logger.info(f"Label-free instances of the teacher, {name}: {text}")
            if self.trainer.writer is not None:
                for key, value in values.items():
                    self.trainer.writer.add_scalar(f"unsupervised/{name}_{key}", value, self.trainer.epoch + 1)

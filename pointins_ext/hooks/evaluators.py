"""Evaluators: after every epoch the validation split is scored on raw points; the best checkpoint follows the score."""

import dataclasses
import math

from pointins_ext.engine.scoring import Tally, joined, score_scenes
from pointins_ext.errors import UserError, require_scenes
from pointins_ext.evaluation import InstanceAveragePrecision, results
from pointins_ext.evaluation.results import class_names, report
from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic
from pointins_ext.hooks.common import pointins_model
from pointins_ext.host import HOOKS, HookBase, build_dataset, comm
from pointins_ext.inference import Predictor
from pointins_ext.instances import MIN_VOXELS, components


class TaskEvaluator(HookBase):
    """Base: a subclass says which task. Needs evaluate=True and data.val; stands before CheckpointSaver.

    every: epochs from one evaluation to the next; the last epoch has one, too. It leaves results/TASK.json and .csv in
    save_path, and in TensorBoard `val/` the metrics and the mean losses. The metric that chooses the best checkpoint is
    the task's first; where no class has an object it counts as 0.
    """

    def __init__(self, every=1, **settings):
        if every < 1:
            raise UserError(f"{type(self).__name__}: every is {every}, expected a number of epochs from 1 on")
        self.every = every
        self.settings = settings

    def new_task(self, data):
        raise NotImplementedError

    def before_train(self):
        if not self.trainer.cfg.evaluate:
            return
        data = self.trainer.cfg.data
        self.task, self.names = self.new_task(data), class_names(data)
        self.warned = False
        ignored = [name for i, name in enumerate(self.names) if i in self.task.ignored]
        self.trainer.logger.info(
            f"Evaluation: {results.title(self.task.best)} of {len(self.names) - len(ignored)} classes"
            + (f"; ignored: {', '.join(ignored)}" if ignored else "")
        )

    def after_epoch(self):
        trainer, epoch = self.trainer, self.trainer.epoch + 1
        if not trainer.cfg.evaluate:
            return
        value = -math.inf  # an epoch without evaluation is never the best
        if epoch % self.every == 0 or epoch == trainer.max_epoch:
            value = self.evaluate(epoch)
        trainer.comm_info.update(current_metric_value=value, current_metric_name=results.title(self.task.best))

    def evaluate(self, epoch):
        """Score the validation split, write what it gave, and return the metric that chooses the checkpoint."""
        trainer, task = self.trainer, self.task
        score = score_scenes(task, trainer.model, trainer.val_loader)
        shown = dataclasses.replace(score, overlooked=set()) if self.warned else score
        self.warned |= bool(score.overlooked)
        report(trainer.logger, f"Validation [{epoch}/{trainer.max_epoch}]", task, shown, self.names)
        if comm.is_main_process():
            about = dict(epoch=epoch, scenes=score.scenes, losses=score.losses)
            results.save(trainer.cfg.save_path, task.name, score.result, self.names, task.ignored, **about)
        means = {results.title(name): value for name, value in results.split_classes(score.result)[0].items()}
        write_scalars(trainer.writer, "val", means | score.losses, epoch)
        value = score.result[task.best]
        if math.isnan(value):
            trainer.logger.warning(
                f"{results.title(task.best)} counts as 0: no scored class has an object in the validation split"
            )
            return 0.0
        return value

    def after_train(self):
        if self.trainer.cfg.evaluate:
            self.trainer.logger.info(f"Best {results.title(self.task.best)}: {self.trainer.best_metric_value:.4f}")


@HOOKS.register_module()
class SemanticEvaluator(TaskEvaluator):
    """mIoU of a segmentor that gives `seg_logits`."""

    def __init__(self, every=1):
        super().__init__(every)

    def new_task(self, data):
        return Semantic(data.num_classes, data.ignore_index)


@HOOKS.register_module()
class InstanceEvaluator(TaskEvaluator):
    """ScanNet's average precision of a segmentor that gives `pred_masks`, one scene a batch; the best mAP is kept.

    segment_ignore_index: classes that are not scored, listed one by one; a warning names those that have instances.
    min_points: smaller objects and predictions do not count (raw points).
    """

    def __init__(self, segment_ignore_index=(-1,), instance_ignore_index=-1, min_points=100, every=1):
        super().__init__(
            every,
            segment_ignore_index=segment_ignore_index,
            instance_ignore_index=instance_ignore_index,
            min_points=min_points,
        )

    def new_task(self, data):
        return Instance(data.num_classes, **self.settings)


@HOOKS.register_module()
class PanSegEvaluator(TaskEvaluator):
    """Panoptic quality of PanSeg-v1m1. min_points: 15 in nuScenes, 50 in SemanticKITTI.

    Every class that is not in `things` is stuff; a warning names those that have instances.
    """

    def __init__(self, things, min_points=15, instance_ignore_index=-1, every=1):
        super().__init__(every, things=things, min_points=min_points, instance_ignore_index=instance_ignore_index)

    def new_task(self, data):
        return Panoptic(data.num_classes, ignore_index=data.ignore_index, **self.settings)


@HOOKS.register_module()
class UnsupervisedInsEvaluator(HookBase):
    """Label-free instances during pretraining: class-agnostic AP of the teacher's offsets.

    data: a dataset whose scenes have `instance`; it is scored, not trained on. After every `every` epochs and the last,
    the instances that `pointins segment` finds are scored on all raw points of `limit` scenes, ranked by their own
    score as in `pointins evaluate`, and beside them spatial components, the geometric baseline, ranked by size;
    TensorBoard `unsupervised/`.
    segment_ignore_index: classes whose points are void; () for labels without classes.
    """

    def __init__(self, data, every=10, limit=16, segment_ignore_index=(), min_points=100):
        self.data = data
        self.every = every
        self.limit = limit
        self.settings = dict(
            segment_ignore_index=tuple(segment_ignore_index), min_points=min_points, class_agnostic=True
        )

    def before_train(self):
        self.model = pointins_model(self.trainer, "UnsupervisedInsEvaluator")
        self.dataset = require_scenes(build_dataset(dict(self.data, transform=[])))

    def after_epoch(self):
        epoch = self.trainer.epoch + 1
        if epoch % self.every == 0 or epoch == self.trainer.max_epoch:
            self.evaluate(epoch)

    def evaluate(self, epoch):
        """Score the scenes, shared among the processes."""
        # the scenes of a dataset have the size that the network sees
        predictor = Predictor.from_config(self.model.teacher, self.trainer.cfg, scale=1.0)
        tallies = {name: Tally(InstanceAveragePrecision(**self.settings)) for name in ("offsets", "components")}
        number = min(self.limit, len(self.dataset))
        for index in range(comm.get_rank(), number, comm.get_world_size()):
            scene = self.dataset.get_data(index)
            target = self.target(scene)
            for name, found in self.instances(predictor(scene)).items():
                tallies[name].metric.update(found, target)
        for name, tally in tallies.items():
            scores = results.split_classes(joined(tally).result)[0]
            values = ", ".join(f"{results.title(key)} {100 * value:.2f}" for key, value in scores.items())
            who = "offsets of the teacher" if name == "offsets" else "spatial components (no network)"
            self.trainer.logger.info(f"Label-free instances [epoch {epoch}, {number} scenes], {who}: {values}")
            scalars = {f"{name}_{results.title(key)}": value for key, value in scores.items()}
            write_scalars(self.trainer.writer, "unsupervised", scalars, epoch)

    def target(self, scene):
        """The labels that are scored. Raises ValueError if the scene lacks them."""
        keys = ("instance", "segment") if self.settings["segment_ignore_index"] else ("instance",)
        if not set(keys) <= scene.keys():
            raise UserError(
                f"UnsupervisedInsEvaluator needs {' and '.join(keys)} of every point, scene {scene.get('name')} has "
                f"{', '.join(sorted(scene))}: give a labeled data set as data=dict(type=...)"
            )
        return {key: scene[key] for key in keys}

    def instances(self, prediction):
        """Name of the method -> `instance` (N,) of the raw points and, if it is not their size, their `score` (I,)."""
        voxel, nearest = prediction.voxel, prediction.nearest
        found = prediction.find()
        spatial = components(prediction.coord, 1.25 * voxel, MIN_VOXELS, reach=3 * voxel)
        return dict(
            offsets=dict(instance=found.label[nearest], score=found.score), components=dict(instance=spatial[nearest])
        )


def write_scalars(writer, folder, values, epoch):
    """Write what is a number to TensorBoard; the writer is None in all processes but the main one."""
    for name, value in values.items():
        if writer is not None and not math.isnan(value):
            writer.add_scalar(f"{folder}/{name}", value, epoch)

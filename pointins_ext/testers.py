"""Testers: a checkpoint is scored on the test pipeline of its config, and its predictions are kept where asked."""

import os
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler
from tqdm import tqdm

from pointins_ext.checkpoint import load_weight, probed_network, read_checkpoint
from pointins_ext.engine.scoring import one_pass, score_scenes
from pointins_ext.engine.step import to_device
from pointins_ext.errors import UserError, distinct_names, file_name, require_scenes
from pointins_ext.evaluation import results
from pointins_ext.evaluation.results import class_names, report
from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic
from pointins_ext.host import TESTERS, begin_log, build_dataset, build_model, comm, get_root_logger, point_collate_fn
from pointins_ext.host.flash import disable_flash, has_flash
from pointins_ext.ops import as_array


class TaskTester:
    """Base: a subclass says which task. Loads cfg.weight into cfg.model and reads cfg.data.test, a scene a batch.

    save: keep the predictions on raw points, save_path/result/NAME.npz; `pointins submit` packs them. Then
    a split may also lack labels, and has no score, but no two scenes may have one name: ValueError.
    model: one that is loaded already, as Pointcept's PreciseEvaluator has. `verbose`, a key of Pointcept's testers, is
    left aside, so that test.type alone may change in its configs. FileNotFoundError or ValueError where the weights are
    missing or do not fit.
    """

    collate = staticmethod(partial(point_collate_fn, mix_prob=0))

    def __init__(self, cfg, save=False, model=None, **settings):
        settings.pop("verbose", None)
        self.cfg = cfg
        self.save = save
        self.task = self.new_task(cfg.data, **settings)
        self.names = class_names(cfg.data)
        self.saved = set()
        self.logger = get_root_logger(os.path.join(cfg.save_path, "test.log"))
        self.model = self.build_model() if model is None else model
        self.tested = str(cfg.weight) if model is None else "the model at hand"
        self.loader = self.build_loader()

    def new_task(self, data, **settings):
        raise NotImplementedError

    def build_model(self):
        """cfg.model with the weights of cfg.weight, every one of them."""
        cfg, device = self.cfg, torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if not cfg.weight:
            raise UserError("no checkpoint to test: weight is not set; give exp/.../model/model_best.pth (-w)")
        checkpoint = read_checkpoint(cfg.weight)
        if not has_flash(device):
            disable_flash(cfg.model)
        model = build_model(cfg.model)
        match = load_weight(model, checkpoint["state_dict"], cfg.weight, strict=True)
        trained = f", trained for {checkpoint['epoch']} epochs" if "epoch" in checkpoint else ""
        self.logger.info(f"Testing {cfg.weight}: {len(match.matched)} tensors{trained}")
        network = next(filter(None, (probed_network(hook.get("keywords", "")) for hook in cfg.get("hooks", []))), None)
        if network:
            self.logger.info(f"By its config the experiment took its backbone from the {network} of a pretraining")
        return model.to(device)

    def build_loader(self):
        data = self.cfg.data.test
        dataset = require_scenes(build_dataset(with_unlabeled(data) if self.save else data))
        if self.save and hasattr(dataset, "get_data_name"):
            distinct_names(dataset)
        sampler = DistributedSampler(dataset, shuffle=False) if comm.get_world_size() > 1 else None
        workers = self.cfg.num_worker_per_gpu
        return DataLoader(dataset, batch_size=1, sampler=sampler, num_workers=workers, collate_fn=self.collate)

    def test(self):
        """Score the split; returns the result of the metric, which is also logged and saved.

        Without any label it is nan, and the log alone says so: the tables of a labeled split stay.
        """
        begin_log()
        unlabeled = 0
        progress = tqdm(
            total=len(self.loader), desc="testing", unit="scene", disable=None if comm.is_main_process() else True
        )

        def keep(name, prediction, target):
            nonlocal unlabeled
            unlabeled += not self.has_labels(target)
            if self.save:
                if name is None:
                    raise UserError("save=True needs the names of the scenes: add 'name' to Collect in data.test")
                self.keep(name, prediction)
            progress.update()

        with progress:
            score = score_scenes(self.task, self.model, self.loader, self.read, keep)
        unlabeled = sum(comm.all_gather(unlabeled))
        if unlabeled:
            self.logger.warning(f"{unlabeled} of {score.scenes} scenes have no labels: they are not scored")
        if unlabeled == score.scenes:
            return {name: np.full_like(value, np.nan, dtype=float)[()] for name, value in score.result.items()}
        report(self.logger, f"Test of {self.tested}", self.task, score, self.names)
        if comm.is_main_process():
            about = dict(weight=self.tested, scenes=score.scenes, losses=score.losses)
            results.save(self.cfg.save_path, self.task.name, score.result, self.names, self.task.ignored, **about)
        return score.result

    def keep(self, name, prediction):
        """Save the prediction of a scene. ValueError where an earlier one of this process had its file."""
        if file_name(name) in self.saved:  # of datasets that do not tell their names beforehand
            raise UserError(f"two scenes have the name {name!r}, and would overwrite each other: rename one")
        self.saved.add(file_name(name))
        results.save_prediction(self.cfg.save_path, name, prediction)

    def read(self, model, batch):
        """Losses and predictions of a batch; one without any label has no losses, which some hosts cannot compute."""
        if "segment" not in batch or self.has_labels(batch):
            return one_pass(self.task, model, batch)
        bare = {key: value for key, value in batch.items() if key != "segment"}
        return one_pass(self.task, lambda _: model(bare), batch)

    def has_labels(self, scene):
        """Whether any of the points has a class."""
        return bool((scene["segment"] != self.cfg.data.get("ignore_index", -1)).any())


def with_unlabeled(data):
    """Config of a dataset whose CheckLabels, where it has one, lets scenes without any class pass."""
    steps = data.get("transform") or []
    steps = [dict(step, required=False) if step["type"] == "CheckLabels" else step for step in steps]
    return dict(data, transform=steps) if steps else data


def one_scene(batch):
    """The only scene of a batch, as its dataset gives it."""
    return batch[0]


@TESTERS.register_module()
class SemanticTester(TaskTester):
    """mIoU with test-time augmentation: a scene is the list of fragments that its dataset makes in test mode.

    Every point's class is the largest sum of probabilities over the fragments and augmentations that hold it.
    fragments=False: scenes are those of validation, one pass each.
    """

    def __init__(self, cfg, fragments=True, **settings):
        self.fragments = fragments
        if fragments:
            self.collate = one_scene
        super().__init__(cfg, **settings)

    def new_task(self, data):
        return Semantic(data.num_classes, data.ignore_index)

    def read(self, model, scene):
        """No losses, and the one prediction with its target. ValueError for a scene without fragments."""
        if not self.fragments:
            return super().read(model, scene)
        if "fragment_list" not in scene:
            raise UserError(
                f"SemanticTester needs fragment_list, the scene has {', '.join(sorted(scene))}: set test_cfg and "
                "test_mode=True in data.test, or fragments=False in test to score it in one pass"
            )
        segment, target = as_array(self.vote(model, scene).argmax(1)), scene["segment"]
        if "origin_segment" in scene:
            segment, target = segment[as_array(scene["inverse"])], scene["origin_segment"]
        return {}, [(dict(segment=segment), dict(segment=as_array(target).reshape(-1)))]

    def vote(self, model, scene):
        """Summed probabilities (N, num_classes) of the points."""
        device = next(model.parameters()).device
        votes = torch.zeros(len(scene["segment"]), self.cfg.data.num_classes, device=device)
        for fragment in scene["fragment_list"]:
            batch = to_device(point_collate_fn([fragment]), device)
            votes.index_add_(0, batch["index"], model(batch)["seg_logits"].float().softmax(1))
        return votes


@TESTERS.register_module()
class InstanceTester(TaskTester):
    """Average precision; settings as in InstanceEvaluator."""

    def new_task(self, data, **settings):
        return Instance(data.num_classes, **settings)


@TESTERS.register_module()
class PanSegTester(TaskTester):
    """Panoptic quality; settings as in PanSegEvaluator."""

    def new_task(self, data, **settings):
        return Panoptic(data.num_classes, ignore_index=data.ignore_index, **settings)

"""Testers: a checkpoint is scored on the test pipeline of its config, and its predictions are kept where asked."""

import os
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler
from tqdm import tqdm

from pointins_ext.checkpoint import load_weight, read_checkpoint
from pointins_ext.evaluation import results
from pointins_ext.evaluation.instance import as_array
from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic
from pointins_ext.hooks.evaluators import joined_score, run_batches
from pointins_ext.host import TESTERS, build_dataset, build_model, comm, get_root_logger, point_collate_fn
from pointins_ext.host.flash import disable_flash, has_flash


class TaskTester:
    """Base: a subclass says which task. Loads cfg.weight into cfg.model and reads cfg.data.test, a scene a batch.

    save: keep the predictions on raw points, `save_path`/result/NAME.npz; tools/submit.py makes submissions of them.
    FileNotFoundError or ValueError where the weights are missing or do not fit.
    """

    collate = staticmethod(partial(point_collate_fn, mix_prob=0))

    def __init__(self, cfg, save=False, **settings):
        self.cfg = cfg
        self.save = save
        self.settings = settings
        self.logger = get_root_logger(os.path.join(cfg.save_path, "test.log"))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = self.build_model()
        self.loader = self.build_loader()

    def new_task(self, data, **settings):
        raise NotImplementedError

    def build_model(self):
        if not has_flash(self.device):
            disable_flash(self.cfg.model)
        model = build_model(self.cfg.model)
        weight = self.cfg.weight
        checkpoint = read_checkpoint(weight)
        match = load_weight(model, checkpoint["state_dict"], weight, strict=True)
        trained = f", trained for {checkpoint['epoch']} epochs" if "epoch" in checkpoint else ""
        self.logger.info(f"Testing {weight}: {len(match.matched)} tensors{trained}")
        return model.to(self.device)

    def build_loader(self):
        dataset = build_dataset(self.cfg.data.test)
        if len(dataset) == 0:
            raise ValueError(f"data.test ({self.cfg.data.test.type}) holds no scene; check its data_root and split")
        sampler = DistributedSampler(dataset, shuffle=False) if comm.get_world_size() > 1 else None
        workers = self.cfg.num_worker_per_gpu
        return DataLoader(dataset, batch_size=1, sampler=sampler, num_workers=workers, collate_fn=self.collate)

    def test(self):
        """Score the split; returns the result of the metric, which is also logged and saved."""
        data = self.cfg.data
        task = self.new_task(data, **self.settings)
        steps = tqdm(
            self.batches(task), total=len(self.loader), desc="testing", unit="scene", disable=not comm.is_main_process()
        )
        for name, prediction in steps:
            if self.save:
                self.keep(name, prediction)
        score, names = joined_score(task), list(data.names)
        self.logger.info(f"Test:\n{results.render(score, names, task.ignored)}")
        if comm.is_main_process():
            results.save(self.cfg.save_path, task.name, score, names, task.ignored, weight=str(self.cfg.weight))
        return score

    def batches(self, task):
        """(name of the scene, prediction on raw points) of every scene, scored on the way."""
        for batch, _, predictions in run_batches(self.model, self.loader, task):
            yield batch["name"][0], predictions[0]

    def keep(self, name, prediction):
        folder = os.path.join(self.cfg.save_path, "result")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{name}.npz")
        with open(f"{path}.tmp", "wb") as stream:
            np.savez_compressed(stream, **prediction)
        os.replace(f"{path}.tmp", path)


@TESTERS.register_module()
class SemanticTester(TaskTester):
    """mIoU with test-time augmentation: a scene is the list of fragments that its dataset makes in test mode.

    Every point's class is the largest sum of probabilities over the fragments and augmentations that hold it.
    """

    collate = staticmethod(lambda batch: batch[0])

    def new_task(self, data):
        return Semantic(data.num_classes, data.ignore_index)

    @torch.no_grad()
    def batches(self, task):
        self.model.eval()
        task.reset()
        for position, scene in enumerate(self.loader):
            if position * comm.get_world_size() + comm.get_rank() >= len(self.loader.dataset):
                continue  # a repeat that fills the last round
            segment, target = self.vote(scene), as_array(scene["segment"]).reshape(-1)
            if "origin_segment" in scene:
                segment, target = segment[as_array(scene["inverse"])], as_array(scene["origin_segment"]).reshape(-1)
            task.metric.update(segment, target)
            yield scene["name"], dict(segment=segment)

    def vote(self, scene):
        """Class (N,) of each point."""
        votes = torch.zeros(len(scene["segment"]), self.cfg.data.num_classes, device=self.device)
        for fragment in scene["fragment_list"]:
            batch = point_collate_fn([fragment])
            index = batch.pop("index").to(self.device)
            batch = {key: value.to(self.device) if torch.is_tensor(value) else value for key, value in batch.items()}
            votes.index_add_(0, index, self.model(batch)["seg_logits"].softmax(1).float())
        return as_array(votes.argmax(1))


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

"""PointINSTrainer for Pointcept: its default trainer on any device."""

import logging
import warnings
from contextlib import contextmanager
from functools import partial

import torch
from pointcept.engines import train as engine
from pointcept.engines.hooks.misc import WeightDecaySchedular
from pointcept.engines.train import TRAINERS, Trainer
from pointcept.utils.scheduler import build_scheduler

from pointins_ext.embedded import plain_pickle
from pointins_ext.embedded.scheduler import OneCycleLR
from pointins_ext.engine.ddp import create_ddp_model
from pointins_ext.engine.step import TrainingStep, amp_dtype
from pointins_ext.errors import require_scenes
from pointins_ext.host import stand_ins
from pointins_ext.host.flash import disable_flash, has_flash
from pointins_ext.host.pointcept_model import build_model, cuda_stays_here


@TRAINERS.register_module("PointINSTrainer")
class PointINSTrainer(TrainingStep, Trainer):
    """Pointcept's DefaultTrainer; without a GPU the same loop runs on the CPU, where gloo joins several processes.

    A step is that of the embedded host: a loss that is not finite stops the run or, with `skip_nonfinite`, is skipped.
    Says which stand-ins are in place, and turns flash attention off where flash-attn is missing.
    """

    def __init__(self, cfg):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cpu":
            warnings.filterwarnings("ignore", message=".*pin_memory.*")
            # autocast on a CPU leaves logits in bfloat16, which Pointcept's Lovasz loss refuses; it is no faster either
            half, cfg.enable_amp = cfg.enable_amp, False
            cfg.num_worker_per_gpu = max(cfg.num_worker_per_gpu, 1)  # Pointcept's loader keeps its workers
        super().__init__(cfg)
        self.amp_dtype = amp_dtype(cfg, self.device, self.logger)
        if self.device.type == "cpu" and half:
            self.logger.info("No GPU: enable_amp = False, full precision")
        if line := stand_ins.summary():
            self.logger.info(f"Stand-ins: {line}")

    def train(self):
        # Pointcept logs the traceback and exits: the log file keeps it, the caller gets the error itself
        events = logging.getLogger("pointcept.utils.events")
        events.propagate = False
        events.handlers = [handler for handler in self.logger.handlers if isinstance(handler, logging.FileHandler)]
        try:
            super().train()
        except SystemExit as stop:
            raise (stop.__context__ or stop) from None

    def before_step(self):
        for hook in self.hooks:
            if isinstance(hook, WeightDecaySchedular):  # it counts batches, of what it takes for steps of the optimizer
                hook.scheduler.iter = self.scheduler.last_epoch
        super().before_step()

    def predict(self, batch):
        with cuda_stays_here():
            return super().predict(batch)

    def build_model(self):
        if not has_flash(self.device):
            for line in disable_flash(self.cfg.model):
                self.logger.info(f"flash-attn is not installed or there is no GPU: {line}")
        if self.device.type == "cuda":
            return super().build_model()
        model = build_model(self.cfg.model)
        self.logger.info(f"Num params: {sum(p.numel() for p in model.parameters() if p.requires_grad)}")
        return create_ddp_model(
            model, self.device, broadcast_buffers=False, find_unused_parameters=self.cfg.find_unused_parameters
        )

    def build_train_loader(self):
        with _datasets_made_well(warn=self.logger.warning):
            return super().build_train_loader()

    def build_val_loader(self):
        with _datasets_made_well():
            return super().build_val_loader()

    def build_scheduler(self):
        options = self.cfg.scheduler
        options.total_steps = self.count_updates()
        if options.type != "OneCycleLR":
            return build_scheduler(options, self.optimizer)
        # torch's, which Pointcept's is, cannot do with every number of steps
        return OneCycleLR(self.optimizer, **{key: value for key, value in options.items() if key != "type"})

    def build_scaler(self):
        if self.device.type == "cuda":
            return super().build_scaler()
        return None


if PartialSampledTrainer := TRAINERS.get("PartialSampledTrainer"):  # since Pointcept 1.7

    @TRAINERS.register_module("PointINSPartialSampledTrainer")
    class PointINSPartialSampledTrainer(PointINSTrainer, PartialSampledTrainer):
        """The same around Pointcept's PartialSampledTrainer: epochs with a part of the largest data set (Utonia)."""


@contextmanager
def _datasets_made_well(warn=None):
    """What Pointcept's readers leave out, for the data sets that its trainer builds meanwhile.

    They hold scenes: a missing folder is no empty data set. And files of labeled points (la_file) may hold arrays,
    which torch.load refuses by itself since PyTorch 2.6.
    """
    build, load = engine.build_dataset, torch.load
    engine.build_dataset = lambda cfg: require_scenes(build(cfg), warn)
    torch.load = partial(load, pickle_module=plain_pickle, weights_only=False)
    try:
        yield
    finally:
        engine.build_dataset, torch.load = build, load

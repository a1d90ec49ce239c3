"""The training loop."""

import math
import os
import traceback
import weakref
from functools import cached_property, partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler
from torch.utils.tensorboard import SummaryWriter

from pointins_ext.checkpoint import restore
from pointins_ext.embedded.dataset import point_collate_fn
from pointins_ext.embedded.env import seed_worker, set_rng_state
from pointins_ext.embedded.events import EventStorage
from pointins_ext.embedded.logger import FILE_ONLY, begin_log, get_root_logger
from pointins_ext.embedded.optimizer import build_optimizer
from pointins_ext.embedded.registry import HOOKS, TRAINERS, build_dataset, build_model
from pointins_ext.embedded.scheduler import build_scheduler
from pointins_ext.engine import comm
from pointins_ext.engine.ddp import create_ddp_model
from pointins_ext.engine.step import TrainingStep, amp_dtype
from pointins_ext.errors import UserError, UserKeyError, require_scenes


def follow_in_wandb(cfg) -> None:
    """Weights & Biases gets what TensorBoard does: `wandb_project`, the run named after the last two folders.

    Raises ValueError where wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise UserError("enable_wandb=True needs wandb: pip install wandb, or set enable_wandb=False") from error
    tag, name = Path(cfg.save_path).resolve().parts[-2:]
    wandb.init(
        project=cfg.get("wandb_project", "pointins"),
        name=f"{tag}/{name}",
        tags=[tag],
        dir=cfg.save_path,
        config=cfg,
        sync_tensorboard=True,
        settings=wandb.Settings(api_key=cfg.get("wandb_key")),
    )


class TrainerBase:
    """Epochs, steps and hooks; a subclass gives `run_step` and the loaders."""

    writer = None

    def __init__(self):
        self.hooks = []
        self.model = None
        self.epoch = self.start_epoch = self.max_epoch = 0
        self.comm_info = {}
        self.storage = EventStorage()
        self.train_loader = ()

    def register_hooks(self, hooks):
        """Build the hooks of the config; each sees the trainer through a weak proxy."""
        for cfg in hooks:
            hook = HOOKS.build(cfg)
            hook.trainer = weakref.proxy(self)
            self.hooks.append(hook)

    def train(self):
        """Run from `start_epoch` to `max_epoch`; `comm_info` carries iter, input_dict and model_output_dict."""
        self.before_train()
        for epoch in range(self.start_epoch, self.max_epoch):
            self.epoch = epoch
            self.before_epoch()
            for step, batch in enumerate(self.train_loader):
                self.comm_info.update(iter=step, input_dict=batch)
                self._call("before_step")
                self.run_step()
                self._call("after_step")
            self.after_epoch()
        self.after_train()

    def before_train(self):
        self._call("before_train")

    def before_epoch(self):
        self._call("before_epoch")

    def run_step(self):
        raise NotImplementedError

    def after_epoch(self):
        self._call("after_epoch")
        self.storage.reset_histories()

    def after_train(self):
        comm.synchronize()
        self._call("after_train")
        if self.writer is not None:
            self.writer.close()

    def _call(self, event):
        for hook in self.hooks:
            getattr(hook, event)()


@TRAINERS.register_module("DefaultTrainer")
@TRAINERS.register_module("PointINSTrainer")
class Trainer(TrainingStep, TrainerBase):
    """Pointcept's default trainer on any device: gradient accumulation, AMP, clipping, DDP, exact resume."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.max_epoch = cfg.eval_epoch
        self.best_metric_value = -math.inf
        self.device = torch.device("cuda", comm.get_local_rank()) if torch.cuda.is_available() else torch.device("cpu")
        log_file = os.path.join(cfg.save_path, "train.log")
        self.logger = get_root_logger(log_file, file_mode="a" if cfg.resume else "w")
        self.logger.info(f"Save path: {cfg.save_path}, device: {self.device}, processes: {comm.get_world_size()}")
        self.logger.info(f"Config:\n{cfg.pretty_text}", extra=FILE_ONLY)
        self.model = self.build_model()
        self.train_loader = self.build_train_loader()
        self.val_loader = self.build_val_loader()
        self.optimizer = build_optimizer(cfg.optimizer, self.model, cfg.param_dicts)
        self.scheduler = self.build_scheduler()
        self.amp_dtype = amp_dtype(cfg, self.device, self.logger)
        self.scaler = torch.amp.GradScaler(self.device.type) if self.amp_dtype == torch.float16 else None
        self.register_hooks(cfg.hooks)
        self.resumed_rng = None

    def train(self):
        try:
            super().train()
        except Exception:
            self.logger.error(traceback.format_exc(), extra=FILE_ONLY)
            raise

    @cached_property
    def writer(self):
        """TensorBoard's, made when it is first needed; None in other processes than the main one."""
        if not comm.is_main_process():
            return None
        if self.cfg.get("enable_wandb"):
            follow_in_wandb(self.cfg)
        return SummaryWriter(self.cfg.save_path)

    def before_train(self):
        super().before_train()
        self.begin()
        if self.resumed_rng is not None:  # last, because building and hooks draw random numbers too
            set_rng_state(self.resumed_rng)

    def begin(self):
        """Write config.py and train.log, now that nothing is left that could keep the run from starting."""
        if comm.is_main_process() and not self.cfg.resume:
            self.cfg.dump(os.path.join(self.cfg.save_path, "config.py"))
        begin_log()

    def before_epoch(self):
        if isinstance(self.train_loader.sampler, DistributedSampler):
            self.train_loader.sampler.set_epoch(self.epoch)
        self.model.train()
        super().before_epoch()

    def state(self):
        """Checkpoint content at the end of an epoch: tensors and plain Python values only."""
        model = comm.unwrap_model(self.model)
        pending = {
            name.removeprefix("pretrainer."): p.grad
            for name, p in model.named_parameters()
            if self.accumulated and p.grad is not None
        }
        return dict(
            epoch=self.epoch + 1,
            state_dict=model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scheduler=self.scheduler.state_dict(),
            scaler=None if self.scaler is None else self.scaler.state_dict(),
            best_metric_value=self.best_metric_value,
            accumulation=dict(count=self.accumulated, gradients=pending),
            config=self.cfg.to_dict(),
        )

    def resume(self, checkpoint):
        """Continue where `state` was taken, weights aside; errors of `checkpoint.restore`."""
        restore(self, checkpoint)
        pending = checkpoint.get("accumulation", dict(count=0, gradients={}))
        self.accumulated = pending["count"]
        for name, parameter in comm.unwrap_model(self.model).named_parameters():
            name = name.removeprefix("pretrainer.")  # early checkpoints have the names of their state dict
            if name in pending["gradients"]:
                parameter.grad = pending["gradients"][name].to(self.device)
        rng = checkpoint.get("rng", [])
        if len(rng) == comm.get_world_size():
            self.resumed_rng = rng[comm.get_rank()]
        else:
            self.logger.warning(f"random state of {len(rng)} processes is not restored in {comm.get_world_size()}")

    def build_model(self):
        model = build_model(self.cfg.model)
        if self.cfg.sync_bn:
            model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.logger.info(f"Trainable parameters: {sum(p.numel() for p in model.parameters() if p.requires_grad)}")
        return create_ddp_model(
            model.to(self.device),
            self.device,
            broadcast_buffers=False,
            find_unused_parameters=self.cfg.find_unused_parameters,
        )

    def build_train_loader(self):
        """Shuffled batches; workers live for one epoch and are seeded from torch's state, which makes resume exact."""
        dataset = build_dataset(self.cfg.data.train)
        parallel = comm.get_world_size() > 1
        loader = self._loader(
            dataset,
            self.cfg.batch_size_per_gpu,
            mix_prob=self.cfg.mix_prob,
            sampler=DistributedSampler(dataset, seed=self.cfg.seed) if parallel else None,
            shuffle=not parallel,
            drop_last=len(dataset) > self.cfg.batch_size,
        )
        self.comm_info["iter_per_epoch"] = len(loader)
        self.logger.info(f"Training scenes: {len(dataset)}, steps per epoch: {len(loader)}")
        return loader

    def build_val_loader(self):
        if not self.cfg.evaluate:
            return None
        if "val" not in self.cfg.data:
            raise UserKeyError("evaluate=True needs data = dict(val=dict(type=...)); add it or set evaluate=False")
        dataset = build_dataset(self.cfg.data.val)
        sampler = DistributedSampler(dataset, shuffle=False) if comm.get_world_size() > 1 else None
        return self._loader(dataset, self.cfg.batch_size_val_per_gpu, sampler=sampler)

    def _loader(self, dataset, batch_size, mix_prob=0, **kwargs):
        return DataLoader(
            require_scenes(dataset),
            batch_size,
            num_workers=self.cfg.num_worker_per_gpu,
            collate_fn=partial(point_collate_fn, mix_prob=mix_prob),
            pin_memory=self.device.type == "cuda",
            worker_init_fn=seed_worker,
            **kwargs,
        )

    def build_scheduler(self):
        self.cfg.scheduler.total_steps = self.count_updates()
        return build_scheduler(self.cfg.scheduler, self.optimizer)

"""Hooks of the training loop: they load, log, time and save; the model may be one of them."""

import os
import shutil
import sys
import time
import weakref

import torch
from tqdm import tqdm

from pointins_ext.checkpoint import WeightLoading, save_checkpoint
from pointins_ext.embedded.env import get_rng_state
from pointins_ext.embedded.logger import FILE_ONLY
from pointins_ext.embedded.registry import HOOKS
from pointins_ext.embedded.scheduler import CosineScheduler
from pointins_ext.engine import comm
from pointins_ext.errors import UserError
from pointins_ext.files import whole_file


class HookBase:
    """Base of everything the trainer calls between its steps; `trainer` is a weak proxy set by the trainer."""

    trainer = None

    def before_train(self):
        pass

    def before_epoch(self):
        pass

    def before_step(self):
        pass

    def after_step(self):
        pass

    def after_epoch(self):
        pass

    def after_train(self):
        pass


@HOOKS.register_module()
class ModelHook(HookBase):
    """Forwards the events to a model that is itself a HookBase; stands after CheckpointLoader."""

    def before_train(self):
        model = comm.unwrap_model(self.trainer.model)
        self.model = weakref.proxy(model) if isinstance(model, HookBase) else HookBase()
        self.model.trainer = self.trainer
        self.model.before_train()

    def before_epoch(self):
        self.model.before_epoch()

    def before_step(self):
        self.model.before_step()

    def after_step(self):
        self.model.after_step()

    def after_epoch(self):
        self.model.after_epoch()

    def after_train(self):
        self.model.after_train()


@HOOKS.register_module()
class CheckpointLoader(WeightLoading, HookBase):
    """The hook under the name that Pointcept's configs use; WeightLoader is the same on both hosts."""


@HOOKS.register_module()
class CheckpointSaver(HookBase):
    """Saves model/model_last.pth after every epoch, model_best.pth on a better metric, epoch_N.pth by `save_freq`."""

    def __init__(self, save_freq=None):
        self.save_freq = save_freq

    def after_epoch(self):
        rng = comm.all_gather(get_rng_state())
        if not comm.is_main_process():
            return
        is_best = self.trainer.cfg.evaluate and self._update_best()
        folder = os.path.join(self.trainer.cfg.save_path, "model")
        os.makedirs(folder, exist_ok=True)
        last = os.path.join(folder, "model_last.pth")
        save_checkpoint(dict(self.trainer.state(), rng=rng), last)
        self.trainer.logger.info(f"Saved checkpoint {last}")
        if is_best:
            _copy(last, os.path.join(folder, "model_best.pth"))
        if self.save_freq and (self.trainer.epoch + 1) % self.save_freq == 0:
            _copy(last, os.path.join(folder, f"epoch_{self.trainer.epoch + 1}.pth"))

    def _update_best(self):
        info = self.trainer.comm_info
        if "current_metric_value" not in info:
            raise UserError(
                "evaluate=True needs an evaluator hook before CheckpointSaver; add one or set evaluate=False"
            )
        is_best = info["current_metric_value"] > self.trainer.best_metric_value
        if is_best:
            self.trainer.best_metric_value = float(info["current_metric_value"])
        self.trainer.logger.info(f"Best {info['current_metric_name']}: {self.trainer.best_metric_value:.4f}")
        return is_best


def _copy(source, target):
    with open(source, "rb") as content, whole_file(target, f"{target}.tmp") as stream:
        shutil.copyfileobj(content, stream)


@HOOKS.register_module()
class IterationTimer(HookBase):
    """Seconds of data loading and of a whole step, and the time left; the first `warmup_iter` steps do not count."""

    def __init__(self, warmup_iter=1):
        self.warmup_iter = warmup_iter

    def before_train(self):
        epochs = self.trainer.max_epoch - self.trainer.start_epoch
        self.remaining = epochs * len(self.trainer.train_loader)

    def before_epoch(self):
        self.start = time.perf_counter()

    def before_step(self):
        self.trainer.storage.put_scalar("data_time", time.perf_counter() - self.start)

    def after_step(self):
        storage, now = self.trainer.storage, time.perf_counter()
        storage.put_scalar("batch_time", now - self.start)
        self.start = now
        self.remaining -= 1
        data, batch = storage.history("data_time"), storage.history("batch_time")
        left = time.strftime("%H:%M:%S", time.gmtime(self.remaining * batch.avg % 86400))
        days = int(self.remaining * batch.avg // 86400)
        text = f"Data {data.val:.3f} ({data.avg:.3f}) Batch {batch.val:.3f} ({batch.avg:.3f}) Remain {days}d {left} "
        self.trainer.comm_info["iter_info"] = self.trainer.comm_info.get("iter_info", "") + text
        if self.trainer.comm_info["iter"] < self.warmup_iter:
            data.reset()
            batch.reset()


@HOOKS.register_module()
class InformationWriter(HookBase):
    """Every entry of the model's result: TensorBoard `train_batch/NAME` per step, `train/NAME` per epoch, train.log.

    interval: steps between two log lines. progress: one bar over all steps; None means on a terminal only.
    """

    def __init__(self, interval=10, progress=None):
        self.interval = interval
        self.progress = progress

    def before_train(self):
        trainer = self.trainer
        self.steps = len(trainer.train_loader)
        self.iter = trainer.start_epoch * self.steps
        wanted = sys.stderr.isatty() if self.progress is None else self.progress
        self.bar = tqdm(
            total=trainer.max_epoch * self.steps,
            initial=self.iter,
            disable=not (wanted and comm.is_main_process()),
            unit="step",
            dynamic_ncols=True,
        )

    def before_epoch(self):
        self.clock = time.perf_counter()
        self.keys = []

    def before_step(self):
        self.iter += 1
        self.trainer.comm_info["iter_info"] = (
            f"Train: [{self.trainer.epoch + 1}/{self.trainer.max_epoch}]"
            f"[{self.trainer.comm_info['iter'] + 1}/{self.steps}] "
        )

    def after_step(self):
        result = self.trainer.comm_info["model_output_dict"]
        if not result:  # the step was skipped
            self.bar.update()
            return
        values = _scalars(result)
        self.keys = list(values)
        for name, value in values.items():
            self.trainer.storage.put_scalar(name, value)
        now = time.perf_counter()
        speed = count_points(self.trainer.comm_info["input_dict"]) / (now - self.clock)
        self.clock = now
        lr = self.trainer.optimizer.param_groups[0]["lr"]
        self._write({f"train_batch/{name}": value for name, value in values.items()}, self.iter)
        self._write({"params/lr": lr, "params/points_per_second": speed}, self.iter)
        self.bar.set_postfix_str(f"loss {values['loss']:.4f}, {speed:.3g} points/s", refresh=False)
        self.bar.update()
        step = self.trainer.comm_info["iter"] + 1
        if step % self.interval == 0 or step in (1, self.steps):
            losses = " ".join(f"{name}: {value:.4f}" for name, value in values.items())
            line = f"{self.trainer.comm_info['iter_info']}{losses} Lr: {lr:.5f} Points/s: {speed:.3g}"
            self.trainer.logger.info(line, extra=None if self.bar.disable else FILE_ONLY)

    def after_epoch(self):
        means = {name: self.trainer.storage.history(name).avg for name in self.keys}
        self._write({f"train/{name}": value for name, value in means.items()}, self.trainer.epoch + 1)
        text = " ".join(f"{name}: {value:.4f}" for name, value in means.items())
        self.trainer.logger.info(f"Train result [{self.trainer.epoch + 1}/{self.trainer.max_epoch}]: {text}")

    def after_train(self):
        self.bar.close()

    def _write(self, scalars, step):
        if self.trainer.writer is not None:
            for name, value in scalars.items():
                self.trainer.writer.add_scalar(name, value, step)


@HOOKS.register_module()
class WeightDecaySchedular(HookBase):
    """Cosine of the weight decay over the steps of the optimizer, in every parameter group."""

    def __init__(self, base_value=0.04, final_value=0.2):
        self.base_value = base_value
        self.final_value = final_value

    def before_train(self):
        total = self.trainer.cfg.scheduler.total_steps
        self.scheduler = CosineScheduler(self.base_value, self.final_value, total)

    def before_step(self):
        # batches are more than steps: gradients are accumulated, fp16 skips a step. After a resume both go on
        self.scheduler.iter = self.trainer.scheduler.last_epoch
        value = self.scheduler.step()
        for group in self.trainer.optimizer.param_groups:
            group["weight_decay"] = value
        if self.trainer.writer is not None:
            self.trainer.writer.add_scalar("params/wd", value, self.scheduler.iter)


def _scalars(result):
    """Floats of the result dict, with a single transfer from the device."""
    for name, value in result.items():
        if not torch.is_tensor(value) or value.numel() != 1:
            raise UserError(f"the model's result entry {name!r} must be a scalar tensor, found {type(value).__name__}")
    values = torch.stack([value.detach().reshape(()).double() for value in result.values()]).tolist()
    return dict(zip(result, values, strict=True))


def count_points(batch):
    """Points of a packed batch: the last cumulative count of its views or scenes; 0 when it has neither."""
    offset = next((batch[key] for key in ("global_offset", "offset") if key in batch), None)
    return 0 if offset is None else int(offset[-1])

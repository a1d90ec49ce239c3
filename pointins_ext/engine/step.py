"""One training step on any device: forward, backward and, at the end of an accumulation window, one update."""

import torch

from pointins_ext.engine import comm
from pointins_ext.errors import UserError

AMP_DTYPE = dict(float16=torch.float16, bfloat16=torch.bfloat16)


class TrainingStep:
    """`run_step` of a trainer with `cfg`, `device`, `amp_dtype`, `model`, loaders, `optimizer`, `scheduler`, `scaler`.

    `amp_dtype` None means full precision, `scaler` None no loss scaling; `accumulated` counts the backward passes since
    the last update. A loss that is not finite stops the run, or, with `cfg.skip_nonfinite`, leaves out its batch in all
    processes: `skipped` counts these, in TensorBoard as `params/skipped_steps`.
    """

    accumulated = 0
    skipped = 0

    def run_step(self):
        batch = self.comm_info["input_dict"] = to_device(self.comm_info["input_dict"], self.device)
        if self.accumulated == 0:
            self.optimizer.zero_grad()
        amp = self.amp_dtype is not None
        with torch.autocast(self.device.type, dtype=self.amp_dtype or torch.bfloat16, enabled=amp):
            result = self.predict(batch)
        problem = not_finite(result, batch, self.where())
        if self.cfg.get("skip_nonfinite", False):
            if any(comm.all_gather(problem is not None)):
                self.skip(problem)
                return
        elif problem:
            cure = "amp_dtype='bfloat16', enable_amp=False, a lower lr, or skip_nonfinite=True"
            if "segment" in batch and (batch["segment"] < 0).all():
                cure = "skip_nonfinite=True: no point of these scenes has a label, which this loss cannot do with"
            raise FloatingPointError(f"{problem}. Try {cure}")
        loss = result["loss"] / self.cfg.gradient_accumulation_steps
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        self.accumulated += 1
        if self.accumulated == self.cfg.gradient_accumulation_steps:
            self.update()
        self.comm_info["model_output_dict"] = result
        if self.cfg.empty_cache and self.device.type == "cuda":
            torch.cuda.empty_cache()

    def where(self):
        return f"epoch {self.epoch + 1}, step {self.comm_info['iter'] + 1}"

    def predict(self, batch):
        """Result of the model. ValueError that names the scenes where a batch of one voxel has no variance."""
        try:
            return self.model(batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UserError(
                f"{self.where()}: a BatchNorm of the model gets one row, scenes {batch.get('name', 'without name')}: "
                "their points fill one voxel; leave these scenes out, or take a larger batch_size"
            ) from error

    def count_updates(self):
        """Steps of the optimizer in the whole run. ValueError where it has none."""
        batches = len(self.train_loader) * self.cfg.eval_epoch
        updates = batches // self.cfg.gradient_accumulation_steps
        if updates < 1:
            raise UserError(
                f"gradient_accumulation_steps = {self.cfg.gradient_accumulation_steps}, but the whole run has "
                f"{batches} batches: it would never step"
            )
        return updates

    def skip(self, problem):
        """Count and report a batch that teaches nothing; `problem` is None where another process has it."""
        self.skipped += 1
        self.comm_info["model_output_dict"] = {}
        if problem:
            self.logger.warning(f"{problem}. Skipped, the {self.skipped}. of this run")
        if self.writer is not None:
            step = self.epoch * len(self.train_loader) + self.comm_info["iter"] + 1
            self.writer.add_scalar("params/skipped_steps", self.skipped, step)

    def update(self):
        """One step of optimizer and scheduler; fp16 skips both when a gradient overflowed."""
        self.accumulated = 0
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.cfg.clip_grad is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.clip_grad)
        if self.scaler is None:
            self.optimizer.step()
            self.scheduler.step()
            return
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:
            self.scheduler.step()


def to_device(batch, device):
    """The tensors of a batch on `device`, everything else as it is."""
    return {k: v.to(device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}


def amp_dtype(cfg, device, logger):
    """Half type of autocast, or None; fp16 needs a GPU. ValueError for an unknown name."""
    if not cfg.enable_amp:
        return None
    if cfg.amp_dtype not in AMP_DTYPE:
        raise UserError(f"amp_dtype is one of {sorted(AMP_DTYPE)}, found {cfg.amp_dtype!r}")
    if device.type == "cpu" and cfg.amp_dtype == "float16":
        logger.warning("enable_amp with float16 needs a GPU: training in float32")
        return None
    return AMP_DTYPE[cfg.amp_dtype]


def not_finite(result, batch, where):
    """What is wrong with a NaN or infinite loss, with the first bad entry and the scenes; None for a finite one."""
    if torch.isfinite(result["loss"]).all():
        return None
    bad = next(name for name, value in result.items() if not torch.isfinite(value).all())
    return (
        f"{where}: the loss is not finite; the first bad entry of the result is {bad!r} = {result[bad].item()}, scenes "
        f"{batch.get('name', 'without name')}"
    )

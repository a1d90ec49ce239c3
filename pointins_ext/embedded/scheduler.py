"""Learning-rate schedulers of the config language, and the cosine schedule of single values."""

import math

from torch.optim import lr_scheduler

from pointins_ext.embedded.registry import SCHEDULERS


@SCHEDULERS.register_module()
class OneCycleLR(lr_scheduler.OneCycleLR):
    """torch's, for runs of any length: a phase that would have no length, by which torch divides, lasts one step.

    The rise has none in a run of 1 / pct_start steps.
    """

    def get_lr(self):
        start = 0
        for phase in self._schedule_phases:
            if phase["end_step"] == start:
                phase["end_step"] += 1
            start = phase["end_step"]
        return super().get_lr()


@SCHEDULERS.register_module()
class CosineAnnealingLR(lr_scheduler.CosineAnnealingLR):
    """Cosine from the learning rate to `eta_min` over `total_steps`."""

    def __init__(self, optimizer, total_steps, eta_min=0, last_epoch=-1):
        super().__init__(optimizer, T_max=total_steps, eta_min=eta_min, last_epoch=last_epoch)


@SCHEDULERS.register_module()
class MultiStepLR(lr_scheduler.MultiStepLR):
    """Times `gamma` at every milestone; milestones are fractions of `total_steps`."""

    def __init__(self, optimizer, milestones, total_steps, gamma=0.1, last_epoch=-1):
        super().__init__(optimizer, [int(rate * total_steps) for rate in milestones], gamma, last_epoch)


@SCHEDULERS.register_module()
class PolyLR(lr_scheduler.LambdaLR):
    """(1 - step / (total_steps + 1)) ** power."""

    def __init__(self, optimizer, total_steps, power=0.9, last_epoch=-1):
        super().__init__(optimizer, lambda step: (1 - step / (total_steps + 1)) ** power, last_epoch)


@SCHEDULERS.register_module()
class ExpLR(lr_scheduler.LambdaLR):
    """gamma ** (step / total_steps)."""

    def __init__(self, optimizer, total_steps, gamma=0.9, last_epoch=-1):
        super().__init__(optimizer, lambda step: gamma ** (step / total_steps), last_epoch)


@SCHEDULERS.register_module()
class ConstantLR(lr_scheduler.LambdaLR):
    """The learning rate as it is; takes `total_steps` as the others do."""

    def __init__(self, optimizer, total_steps, last_epoch=-1):
        super().__init__(optimizer, lambda step: 1.0, last_epoch)


@SCHEDULERS.register_module()
class CosineScheduler:
    """One value over iterations: linear `start_value` -> `base_value`, cosine to `final_value`, then constant.

    The last `freeze_iters` of the `total_iters` hold `freeze_value` (default: the final value). Setting `iter` resumes.
    """

    def __init__(
        self, base_value, final_value, total_iters, start_value=0, warmup_iters=0, freeze_value=None, freeze_iters=0
    ):
        self.base_value = base_value
        self.final_value = final_value
        self.total_iters = total_iters
        self.start_value = start_value
        self.warmup_iters = warmup_iters
        self.freeze_value = final_value if freeze_value is None else freeze_value
        self.cosine_iters = total_iters - warmup_iters - freeze_iters
        self.iter = 0

    def get(self, it):
        """Value at iteration `it`."""
        if it >= self.total_iters:
            return self.final_value
        if it < self.warmup_iters:
            rate = it / (self.warmup_iters - 1) if self.warmup_iters > 1 else 0.0
            return self.start_value + rate * (self.base_value - self.start_value)
        if it < self.warmup_iters + self.cosine_iters:
            phase = math.pi * (it - self.warmup_iters) / self.cosine_iters
            return self.final_value + 0.5 * (self.base_value - self.final_value) * (1 + math.cos(phase))
        return self.freeze_value

    def step(self):
        """Value at the current iteration; moves one iteration on."""
        self.iter += 1
        return self.get(self.iter - 1)

    def reset(self):
        self.iter = 0

    def __getitem__(self, it):
        return self.get(it)


def build_scheduler(cfg, optimizer):
    """Scheduler described by `cfg` (with `total_steps`) on `optimizer`."""
    return SCHEDULERS.build(cfg, default_args=dict(optimizer=optimizer))

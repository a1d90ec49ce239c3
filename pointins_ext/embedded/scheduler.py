"""The learning-rate schedule of the shipped configs, and the cosine schedule of single values; Pointcept has others."""

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
    """Scheduler described by `cfg` (with `total_steps`) on `optimizer`. UserError for a name that is not registered."""
    return SCHEDULERS.build(cfg, default_args=dict(optimizer=optimizer))

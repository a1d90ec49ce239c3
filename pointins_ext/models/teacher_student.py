"""What our teacher-student pretrainers share: two networks, the EMA between them, and schedules over a run."""

import torch
import torch.distributed as dist
from torch import nn

from pointins_ext.host import CosineScheduler, PointModel, comm


class TeacherStudent(PointModel):
    """A student and its EMA teacher, `ModuleDict`s of the same layout, and scalars that follow the training steps.

    `schedules`: name -> (start, base, final, share of the steps spent warming up from start to base); each name is an
    attribute of the model that holds the current value, written to TensorBoard as `params/<name>`. One of them is
    `momentum`. A subclass gives `training_step(data_dict)`: the result that the host sees, and the passes behind it.
    """

    num_global_view = 2

    def __init__(self, schedules: dict[str, tuple[float, float, float, float]], up_cast_level: int):
        super().__init__()
        self.up_cast_level = up_cast_level
        self.schedules = schedules
        self.schedulers = {}
        for name, (start, *_) in schedules.items():
            setattr(self, name, start)

    def add_networks(self, make, teacher_custom: dict | None = None) -> None:
        """`make(custom)` gives the modules by name, `custom` being what a backbone config changes for the teacher."""
        self.student = nn.ModuleDict(make({}))
        self.teacher = nn.ModuleDict(make(teacher_custom or {}))
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    def forward(self, data_dict, return_point=False):
        if return_point:
            return dict(point=self.features(data_dict))
        return self.training_step(data_dict)[0]

    def features(self, data_dict):
        """The teacher's Point of a batch as its backbone leaves it."""
        return self.teacher.backbone(data_dict)

    def before_train(self):
        # not the scheduler's: with gradient accumulation it counts fewer steps
        total = self.trainer.max_epoch * len(self.trainer.train_loader)
        for name, (start, base, final, warmup) in self.schedules.items():
            self.schedulers[name] = CosineScheduler(
                start_value=start,
                base_value=base,
                final_value=final,
                warmup_iters=int(total * warmup),
                total_iters=total,
            )
            self.schedulers[name].iter = self.trainer.start_epoch * len(self.trainer.train_loader)

    def before_step(self):
        for name, scheduler in self.schedulers.items():
            setattr(self, name, float(scheduler.step()))
            if self.trainer.writer is not None:
                self.trainer.writer.add_scalar(f"params/{name}", getattr(self, name), scheduler.iter)

    @torch.no_grad()
    def after_step(self):
        teacher, student = list(self.teacher.parameters()), list(self.student.parameters())
        torch._foreach_mul_(teacher, self.momentum)
        torch._foreach_add_(teacher, student, alpha=1 - self.momentum)


def mean_over_ranks(scalars: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detached copies of 0-dim tensors, averaged over all ranks: for the log. Every rank must have the same names."""
    packed = torch.stack([value.detach().float() for value in scalars.values()])
    if comm.get_world_size() > 1:
        dist.all_reduce(packed)
        packed /= comm.get_world_size()
    return dict(zip(scalars, packed.unbind(), strict=True))

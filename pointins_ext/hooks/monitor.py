"""OffsetMonitor: the numbers that tell a healthy run from a collapsed one, and a canary with known centers."""

import numpy as np
import torch

from pointins_ext.branch.targets import OffsetField
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.hooks.common import pointins_model
from pointins_ext.hooks.presets import MONITOR
from pointins_ext.host import HOOKS, HookBase
from pointins_ext.inference import Predictor
from pointins_ext.instances import true_offsets
from pointins_ext.ops import segment_count
from pointins_ext.visualization.render import Camera, instance_colors, render_points


@HOOKS.register_module()
class OffsetMonitor(HookBase):
    """Writes offset statistics to TensorBoard under `offset/` every `every` steps, and the canary under `canary/`.

    The canary is a synthetic room of known centers (`canary_seed`; None: off) seen by the teacher: its offset cosine
    and error tell runs apart that no label-free number can. Collapse is flagged in the log: one direction and one
    length. After every `picture_every`-th epoch (0: never) a picture of the first view joins them: pseudo-instances,
    and where the teacher's offsets carry their voxels.
    """

    def __init__(self, every=MONITOR["indoor"]["every"], canary_seed=MONITOR["indoor"]["canary_seed"], picture_every=1):
        self.every = every
        self.canary_seed = canary_seed
        self.picture_every = picture_every
        self.latest = {}

    def before_train(self):
        self.model = pointins_model(self.trainer, "OffsetMonitor")
        self.canary = None
        if self.canary_seed is not None:
            self.canary = generate_room(self.canary_seed)

    def after_step(self):
        if self.model.step % self.every or self.model.target_field is None:
            return
        raw, target = self.model.teacher_field, self.model.target_field
        self.latest = {f"offset/{name}": value for name, value in offset_statistics(raw, target).items()}
        if self.canary is not None:
            # the room has the size that the network sees, whatever the scale of the scans
            predictor = Predictor.from_config(self.model.teacher, self.trainer.cfg, scale=1.0)
            self.latest |= {f"canary/{k}": v for k, v in canary_statistics(predictor, self.canary).items()}
        self._write()

    def after_epoch(self):
        if not self.picture_every or (self.trainer.epoch + 1) % self.picture_every or self.model.target_field is None:
            return
        if self.trainer.writer is not None:
            picture = field_picture(self.model.teacher_field, self.model.target_field)
            self.trainer.writer.add_image("offset/pseudo_instances", picture, self.model.step, dataformats="HWC")

    def _write(self):
        if self.trainer.writer is not None:
            for name, value in self.latest.items():
                self.trainer.writer.add_scalar(name, value, self.model.step)
        mean_direction, spread = self.latest["offset/mean_direction"], self.latest["offset/std_over_mean"]
        if mean_direction > 0.5 and spread < 0.3:
            self.trainer.logger.warning(
                f"offsets look collapsed: mean direction {mean_direction:.2f} (> 0.5), "
                f"std / mean length {spread:.2f} (< 0.3)"
            )


def offset_statistics(raw: OffsetField, target: OffsetField) -> dict[str, float]:
    """Scalars of the teacher's offsets before (`raw`) and after regularization (`target`), meters."""
    length = raw.offset.norm(dim=1)
    stats = dict(
        length_mean=length.mean(),
        length_std=length.std(),
        std_over_mean=length.std() / length.mean().clamp_min(1e-12),
        mean_direction=mean_direction(raw.offset),
        valid_share=target.valid.float().mean(),
    )
    if target.instances is not None:
        views = int(raw.view.max()) + 1
        label = target.instances.label
        size = segment_count(label, int(label.max()) + 1).float()
        stats |= dict(
            instances_per_view=len(size) / views,
            largest_share=size.max() / size.sum() * views,
            cut_share=target.instances.cut.float().mean(),
        )
        stats |= {f"instance_size_q{int(q * 100)}": size.quantile(q) for q in (0.25, 0.5, 0.75)}
    return {name: float(value) for name, value in stats.items()}


def field_picture(raw: OffsetField, target: OffsetField, size=(360, 480)):
    """Image (H, 2W, 3) uint8 of the first view: voxels, and the centers that the teacher's raw offsets point at.

    A pseudo-instance has one color in both; voxels without a valid target are gray. Without SCR all are gray.
    """
    own = raw.view == raw.view[0]
    label = torch.full_like(raw.view, -1) if target.instances is None else target.instances.label
    color = instance_colors(torch.where(target.valid, label, -1)[own].cpu().numpy())
    coord, center = (points[own].cpu().numpy() for points in (raw.coord, raw.center))
    camera = Camera.fit(coord, size)
    points = max(3, round(1.2 * float(raw.voxel[raw.view[0]]) * camera.scale))
    return np.concatenate([render_points(xyz, color, point_size=points, camera=camera) for xyz in (coord, center)], 1)


def mean_direction(offset: torch.Tensor) -> torch.Tensor:
    """Length of the mean unit direction: 0 = all directions alike, 1 = one direction."""
    return torch.nn.functional.normalize(offset, dim=1).mean(0).norm()


def canary_statistics(predictor, scene) -> dict[str, float]:
    """Mean cosine and end-point error (meters) of predicted offsets on the object points of a scene with instances."""
    prediction = predictor(scene)
    return offset_accuracy(prediction.raw_offset(), torch.as_tensor(scene["coord"]), torch.as_tensor(scene["instance"]))


def offset_accuracy(offset: torch.Tensor, coord: torch.Tensor, instance: torch.Tensor) -> dict[str, float]:
    """Cosine and error of `offset` (N,3) against the centroids of `instance` (N,), -1 = none."""
    member = instance >= 0
    offset, truth = offset[member].cpu(), true_offsets(coord.float(), instance)[member]
    return dict(
        cosine=float(torch.nn.functional.cosine_similarity(offset, truth).mean()),
        error=float((offset - truth).norm(dim=1).mean()),
        zero_error=float(truth.norm(dim=1).mean()),
    )

"""Sonata-v1m1 and -v1m2: self-distillation of masked and of local views (Wu et al., CVPR 2025).

For hosts that lack them: arguments, checkpoint keys and losses are those of Pointcept's classes of these names.
"""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.nn.utils.parametrizations import weight_norm

from pointins_ext.branch import match
from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, Point, build_model, offset2batch
from pointins_ext.models.passes import BackboneOutput, Passes, up_cast, view_cells
from pointins_ext.models.prototypes import PrototypeHead
from pointins_ext.models.sinkhorn import sinkhorn_knopp
from pointins_ext.models.teacher_student import TeacherStudent, mean_over_ranks
from pointins_ext.ops import segment_count, segment_mean
from pointins_ext.ops.voxels import sorted_runs, voxel_key

HEAD = dict(mask_loss="mask_head", roll_mask_loss="mask_head", unmask_loss="unmask_head")


class FixedGainHead(PrototypeHead):
    """`PrototypeHead` in Pointcept's parameters: weight norm whose gain (K,1) stays 1."""

    def __init__(self, *sizes: int):
        super().__init__(*sizes)
        self.prototype = weight_norm(self.prototype)
        gain = self.prototype.parametrizations.weight.original0
        torch.nn.init.ones_(gain)
        gain.requires_grad_(False)


class Sonata(TeacherStudent):
    """Student on masked global views and on local views learns the prototypes that the teacher gives the whole views.

    Global views of scene b are `num_global_view`*b, ...; the first is the principal one, which local views learn from.
    Sizes and radii are meters, ratios are of the training steps. `match_max_k` is accepted, and unused as in Pointcept:
    a student voxel learns from the nearest teacher voxel alone. A loss of weight 0 is not computed and not reported.
    ValueError where weights and numbers of views contradict each other.
    """

    def __init__(
        self,
        backbone,
        head_in_channels,
        head_hidden_channels=4096,
        head_embed_channels=512,
        head_num_prototypes=4096,
        teacher_custom=None,
        num_global_view=2,
        num_local_view=4,
        mask_size_start=0.1,
        mask_size_base=0.4,
        mask_size_warmup_ratio=0.05,
        mask_ratio_start=0.3,
        mask_ratio_base=0.7,
        mask_ratio_warmup_ratio=0.05,
        mask_jitter=None,
        teacher_temp_start=0.04,
        teacher_temp_base=0.07,
        teacher_temp_warmup_ratio=0.05,
        student_temp=0.1,
        mask_loss_weight=2 / 8,
        roll_mask_loss_weight=2 / 8,
        unmask_loss_weight=4 / 8,
        momentum_base=0.996,
        momentum_final=1,
        match_max_k=8,
        match_max_r=0.08,
        up_cast_level=2,
    ):
        super().__init__(
            dict(
                mask_size=(mask_size_start, mask_size_base, mask_size_base, mask_size_warmup_ratio),
                mask_ratio=(mask_ratio_start, mask_ratio_base, mask_ratio_base, mask_ratio_warmup_ratio),
                teacher_temp=(teacher_temp_start, teacher_temp_base, teacher_temp_base, teacher_temp_warmup_ratio),
                momentum=(momentum_base, momentum_base, momentum_final, 0.0),
            ),
            up_cast_level,
        )
        # as Pointcept's class has them: PointINS sees by them that points are masked
        self.mask_loss_weight, self.roll_mask_loss_weight = mask_loss_weight, roll_mask_loss_weight
        weights = dict(mask_loss=mask_loss_weight, roll_mask_loss=roll_mask_loss_weight, unmask_loss=unmask_loss_weight)
        self.loss_weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.heads = tuple(dict.fromkeys(HEAD[name] for name in self.loss_weights))
        self.num_global_view = num_global_view
        self.num_local_view = num_local_view
        self.mask_jitter = mask_jitter
        self.student_temp = student_temp
        self.match_radius = math.nextafter(match_max_r, 0.0)  # matches are nearer than match_max_r
        self._check_options()

        def networks(custom):
            sizes = head_in_channels, head_hidden_channels, head_embed_channels, head_num_prototypes
            return dict(backbone=build_model({**backbone, **custom})) | {
                head: FixedGainHead(*sizes) for head in self.heads
            }

        self.add_networks(networks, teacher_custom)

    def teacher_head(self, student_head: str) -> str:
        """Name of the teacher's head whose answers `student_head` learns."""
        return student_head

    # -- one step ---------------------------------------------------------------------------------------------------

    def training_step(self, data_dict) -> tuple[dict, Passes]:
        """Losses of a batch, and the passes that they were computed from."""
        self._check_views(data_dict)
        whole = _views(data_dict, "global")
        with torch.no_grad():
            teacher = up_cast(self.teacher.backbone(Point(whole)), self.up_cast_level)
        similarity, losses, students = {}, {}, []
        for head in self.heads:
            seen = self.masked(whole) if head == "mask_head" else _views(data_dict, "local")
            student = up_cast(self.student.backbone(Point(seen)), self.up_cast_level)
            students.append(replace(student, local=head == "unmask_head"))
            prediction = self.student[head](student.feat)
            source = self.teacher_head(head)
            if source not in similarity:
                with torch.no_grad():
                    similarity = {source: self.teacher[source](teacher.feat)}
            for name, view in self._target_views(head, student.view).items():
                losses[name] = self.distil(prediction, student, similarity[source], teacher, view)
        loss = sum(self.loss_weights[name] * value for name, value in losses.items())
        return dict(loss=loss, **mean_over_ranks(losses)), Passes(teacher, tuple(students))

    def masked(self, views: dict) -> dict:
        """The same views with `mask` (N,) bool for the backbone's mask token, masked coordinates jittered."""
        coord, mask = views["coord"].clone(), self.patch_mask(views["coord"], views["batch"], len(views["offset"]))
        if self.mask_jitter is not None:
            # bounded above only, as in Pointcept
            coord[mask] += (torch.randn_like(coord[mask]) * self.mask_jitter).clamp(max=2 * self.mask_jitter)
        return views | dict(coord=coord, mask=mask)

    def patch_mask(self, coord: torch.Tensor, view: torch.Tensor, num_views: int) -> torch.Tensor:
        """(N,) bool: points in the random share `mask_ratio` of all cubes of `mask_size`."""
        _, start, patch = sorted_runs(voxel_key(view_cells(coord, view, num_views, self.mask_size), view)[0])
        order = torch.randperm(len(start) - 1, device=coord.device)
        masked = torch.zeros_like(order, dtype=torch.bool)
        masked[order[: int(len(order) * self.mask_ratio)]] = True
        return masked[patch]

    def distil(
        self,
        prediction: torch.Tensor,
        student: BackboneOutput,
        similarity: torch.Tensor,
        teacher: BackboneOutput,
        target_view: torch.Tensor,
    ) -> torch.Tensor:
        """Cross entropy with the balanced assignments of the teacher voxels nearest in the scene.

        prediction (N,K) of the student, similarity (M,K) of the teacher, target_view (N,) teacher view to look in. The
        mean of each student view counts once, that of a view without any match not at all.
        """
        index = match(student.scene_coord, target_view, teacher.scene_coord, teacher.view, self.match_radius)
        matched = (index >= 0).nonzero().squeeze(1)
        target = sinkhorn_knopp(similarity[index[matched]], self.teacher_temp)
        loss = F.cross_entropy(prediction[matched] / self.student_temp, target, reduction="none")
        view, num_views = student.view[matched], student.num_views
        present = (segment_count(view, num_views) > 0).sum()
        return segment_mean(loss, view, num_views).sum() / present.clamp(min=1)

    def _target_views(self, head: str, view: torch.Tensor) -> dict[str, torch.Tensor]:
        """Teacher view that each student voxel learns from, for every loss of `head`."""
        if head == "unmask_head":
            return dict(unmask_loss=view // self.num_local_view * self.num_global_view)
        targets = dict(mask_loss=view, roll_mask_loss=view ^ 1)
        return {name: target for name, target in targets.items() if name in self.loss_weights}

    def features(self, data_dict) -> Point:
        """The teacher's Point at the loss resolution, with up-cast features."""
        point = self.teacher.backbone(Point(data_dict))
        feat = up_cast(point, self.up_cast_level).feat
        for _ in range(self.up_cast_level):
            point = point.pooling_parent
        point.feat = feat
        return point

    # -- bad input --------------------------------------------------------------------------------------------------

    def _check_options(self) -> None:
        if not self.loss_weights:
            raise UserError("Sonata: the weights of mask_loss, roll_mask_loss and unmask_loss are all 0; set one")
        if self.num_global_view not in (1, 2):
            raise UserError(f"Sonata: num_global_view is {self.num_global_view}; expected 1 or 2")
        if self.num_global_view == 1 and "roll_mask_loss" in self.loss_weights:
            raise UserError("Sonata: roll_mask_loss needs num_global_view=2; set roll_mask_loss_weight=0")

    def _check_views(self, data_dict) -> None:
        num_scenes, rest = divmod(len(data_dict["global_offset"]), self.num_global_view)
        if rest:
            raise UserError(
                f"Sonata: the batch has {len(data_dict['global_offset'])} global views, not a multiple of "
                f"num_global_view={self.num_global_view}; set MultiViewGenerator's global_view_num to it"
            )
        num_local = len(data_dict.get("local_offset", ()))
        if "unmask_head" in self.heads and num_local != num_scenes * self.num_local_view:
            raise UserError(
                f"Sonata: the batch has {num_local} local views of {num_scenes} scenes, but num_local_view is "
                f"{self.num_local_view}; set MultiViewGenerator's local_view_num to it, or unmask_loss_weight=0"
            )


class SonataSharedHead(Sonata):
    """Sonata-v1m2: one teacher head answers for all views, the mask head where there is one.

    The teacher's other head is there for the parameter lists of student and teacher to be in step, as the EMA needs.
    """

    def teacher_head(self, student_head: str) -> str:
        return self.heads[0]


def _views(data_dict, prefix: str) -> dict:
    return dict(
        feat=data_dict[f"{prefix}_feat"],
        coord=data_dict[f"{prefix}_coord"],
        origin_coord=data_dict[f"{prefix}_origin_coord"],
        offset=data_dict[f"{prefix}_offset"],
        batch=offset2batch(data_dict[f"{prefix}_offset"]),
        grid_size=data_dict["grid_size"].flatten()[0],
    )


for _name, _cls in {"Sonata-v1m1": Sonata, "Sonata-v1m2": SonataSharedHead}.items():
    if MODELS.get(_name) is None:  # Pointcept has its own
        MODELS.register_module(_name)(_cls)

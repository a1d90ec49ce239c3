"""PointINS-v1m1: the offset branch around any teacher-student pretrainer (paper, Sec. 3)."""

import torch

from pointins_ext.branch import (
    OffsetField,
    Regularizer,
    match,
    offset_loss,
    offset_targets,
    transform_vectors,
)
from pointins_ext.branch.head import OffsetHead as _OffsetHead
from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, PointModel, build_model, get_root_logger
from pointins_ext.models.passes import BackboneOutput, Passes, run
from pointins_ext.models.teacher_student import mean_over_ranks

MODELS.register_module("OffsetHead")(_OffsetHead)
PREFIX = "pretrainer."
LOOK_EVERY = 100  # steps between looks at the share of voxels with a target


@MODELS.register_module("PointINS-v1m1")
class PointINS(PointModel):
    """Runs the wrapped `pretrainer` unchanged and teaches its student the instance offsets that its teacher predicts.

    The pretrainer must hold `student` and `teacher` ModuleDicts with a `backbone` each; they get an `offset_head`, so
    that its EMA, optimizer and checkpoints carry the branch. State-dict keys stay those of the pretrainer, without a
    prefix. Regularizers (ODR, SCR) are installed by hooks through `add_regularizer`, in hook order. Voxels that the
    student sees as mask tokens alone learn no offset; local views do, unless `offset_local_views` is off. Raises
    ValueError in training where no voxel has had a target for 100 steps.
    """

    def __init__(
        self,
        pretrainer,
        offset_head=None,
        offset_loss_weight=0.25,
        offset_warmup_ratio=0.1,
        offset_warmup_steps=None,
        match_radius=None,
        offset_local_views=True,
    ):
        super().__init__()
        self.pretrainer = build_model(pretrainer)
        _check_pretrainer(self.pretrainer)
        self._register_state_dict_hook(_take_prefix_out)
        self._register_load_state_dict_pre_hook(_put_prefix_in)
        self._add_offset_heads({**_head_defaults(pretrainer), **(offset_head or {})})

        self.offset_loss_weight = offset_loss_weight
        self.offset_warmup_ratio = offset_warmup_ratio
        self.offset_warmup_steps = offset_warmup_steps
        self.match_radius = match_radius
        self.offset_local_views = offset_local_views
        self.teacher_regularizers: list[Regularizer] = []
        self.student_regularizers: list[Regularizer] = []
        self.step = 0
        self.warmup_steps = offset_warmup_steps or 0
        self.teacher_field: OffsetField | None = None  # before regularization, for monitors
        self.target_field: OffsetField | None = None
        self._checked_views = False
        self._matched = 0.0  # sum since the last look at it

    @property
    def student(self):
        return self.pretrainer.student

    @property
    def teacher(self):
        return self.pretrainer.teacher

    def add_regularizer(self, regularizer: Regularizer, side: str = "teacher") -> None:
        """Install ODR or SCR on the teacher's offsets, or on the student's (the paper's layout ablation)."""
        {"teacher": self.teacher_regularizers, "student": self.student_regularizers}[side].append(regularizer)

    # -- the host's events ------------------------------------------------------------------------------------------

    def before_train(self):
        self.pretrainer.trainer = self.trainer
        self.step = self.trainer.start_epoch * len(self.trainer.train_loader)
        if self.offset_warmup_steps is None:
            total = self.trainer.max_epoch * len(self.trainer.train_loader)
            self.warmup_steps = int(self.offset_warmup_ratio * total)
        self.pretrainer.before_train()

    def before_epoch(self):
        self.pretrainer.before_epoch()

    def before_step(self):
        self.pretrainer.before_step()
        if self.step == self.warmup_steps:
            self._forget_warm_up()

    def after_step(self):
        self.step += 1
        self.pretrainer.after_step()

    def after_epoch(self):
        self.pretrainer.after_epoch()

    def after_train(self):
        self.pretrainer.after_train()

    # -- one step ---------------------------------------------------------------------------------------------------

    def forward(self, data_dict, return_point=False):
        if return_point:
            return self.pretrainer(data_dict, return_point=True)
        result, passes = run(self.pretrainer, data_dict)
        self._check_views(passes)
        loss, matched = self.offset_loss(passes) if self.step >= self.warmup_steps else self._no_loss(passes)
        result["loss"] = result["loss"] + self.offset_loss_weight * loss
        seen = mean_over_ranks(dict(offset_loss=loss, offset_matched=matched))
        if self.training and self.offset_loss_weight and self.step >= self.warmup_steps:
            self._check_matched(seen["offset_matched"])
        return {**result, **seen}

    def offset_loss(self, passes: Passes) -> tuple[torch.Tensor, torch.Tensor]:
        """L_off over all student passes, and the share of student voxels that had a valid target."""
        # half precision ends here: ranks, neighbors and meters need fp32
        with torch.autocast(passes.teacher.coord.device.type, enabled=False):
            with torch.no_grad():
                self.teacher_field = self._scene_field(passes.teacher, self.teacher.offset_head, passes)
                self.target_field = offset_targets(self.teacher_field, self.teacher_regularizers)
            losses, matched = [], []
            for student in self._students(passes):
                field = self._scene_field(student, self.student.offset_head, passes)
                prediction = self._regularized(field)
                for target, valid in zip(*self._targets_of(student, field, passes), strict=True):
                    losses.append(offset_loss(prediction, target, valid, field.view, student.num_views))
                    matched.append(valid.sum() / _observed(student).sum().clamp(min=1))
        return torch.stack(losses).mean(), torch.stack(matched).mean()

    def _students(self, passes: Passes) -> list[BackboneOutput]:
        """The passes of the student that learn offsets."""
        students = [views for views in passes.students if self.offset_local_views or not views.local]
        if not students:
            raise UserError("PointINS-v1m1: the student sees local views alone; set offset_local_views=True")
        return students

    def _no_loss(self, passes: Passes) -> tuple[torch.Tensor, torch.Tensor]:
        """Exactly zero, yet every head stays in the graph: DDP runs with find_unused_parameters=False."""
        loss = 0.0 - sum(self.student.offset_head(p.features).sum() for p in self._students(passes)) * 0.0
        return loss, loss.detach()

    def _forget_warm_up(self) -> None:
        """Adam's state of the head starts anew with its loss: the zero gradients of the warm-up would have used up the
        bias correction, and the first real ones make steps of 4 to 6 times the learning rate.
        """
        for parameter in self.student.offset_head.parameters():
            state = self.trainer.optimizer.state.get(parameter, {})
            for key in [key for key, value in state.items() if not isinstance(value, bool)]:
                del state[key]  # flags stay: Muon marks its parameters once, when it is made

    def _scene_field(self, views: BackboneOutput, head: _OffsetHead, passes: Passes) -> OffsetField:
        return scene_field(views, head, self._views_per_scene(views, passes))

    def _regularized(self, field: OffsetField) -> torch.Tensor:
        """Student offsets, straight through its regularizers where the layout ablation put some."""
        refined = offset_targets(field.replace(offset=field.offset.detach()), self.student_regularizers)
        return field.offset + (refined.offset - field.offset).detach()

    def _targets_of(
        self, student: BackboneOutput, field: OffsetField, passes: Passes
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Target offsets (V,N,3) of every student voxel in V teacher views, and which are valid (V,N)."""
        target, index = self.target_field, passes.matches
        if index is None or self.match_radius is not None:
            views = self._teacher_views(student, passes)
            index = match(field.coord, views, target.coord, target.view, self.match_radius or target.voxel)
        valid = (index >= 0) & target.valid[index] & _observed(student)
        return target.center[index] - field.coord, valid

    def _teacher_views(self, student: BackboneOutput, passes: Passes) -> torch.Tensor:
        """(V,N) teacher views of every student voxel: same and cross view, or the principal one if local."""
        num_global, per_scene = self.pretrainer.num_global_view, self._views_per_scene(student, passes)
        scene, position = student.view // per_scene, student.view % per_scene
        if student.local or per_scene != num_global:
            return (scene * num_global)[None]
        return torch.stack([student.view, scene * num_global + (position + 1) % num_global])

    def _views_per_scene(self, views: BackboneOutput, passes: Passes) -> int:
        num_scenes = passes.teacher.num_views // self.pretrainer.num_global_view
        return views.num_views // num_scenes

    def _check_views(self, passes: Passes) -> None:
        """Warns, once and at the first step, where a view is no affine image of its scene."""
        if self._checked_views:
            return
        self._checked_views = True
        for views in (passes.teacher, *passes.students):
            misfit = float(views.to_scene.residual.max())
            if misfit > views.voxel:
                name = "local_transform" if views.local else "global_transform"
                get_root_logger().warning(
                    f"views differ from their scene by {misfit:.3f} m after the best affine map: a non-linear "
                    "augmentation (ElasticDistortion?) is on, and offsets cannot be turned back exactly. Take it out "
                    f"of {name}"
                )
                return

    def _check_matched(self, matched: torch.Tensor) -> None:
        """Looks every 100 steps whether the branch learns anything: a GPU waits for each answer."""
        self._matched = self._matched + matched
        if (self.step - self.warmup_steps) % LOOK_EVERY != LOOK_EVERY - 1:
            return
        if not self._matched > 0:
            field = self.target_field
            voxel = _span(field.voxel)
            radius = f"{self.match_radius:.3g} m" if self.match_radius else voxel
            found = f"{int(field.valid.sum())} of {len(field.valid)} teacher voxels have a target"
            raise UserError(
                f"PointINS-v1m1: no voxel has had an offset target for {LOOK_EVERY} steps; in the last one {found}. "
                f"Loss voxels measure {voxel}: SCR's min_points, max_length and radius must fit objects of "
                f"that many voxels, match_radius ({radius}) the distance of voxels, and z must be up"
            )
        self._matched = 0.0

    def _add_offset_heads(self, cfg: dict) -> None:
        if cfg["in_channels"] is None:
            raise UserError(
                "PointINS-v1m1: the pretrainer's config has no head_in_channels, the width of its features; give "
                "offset_head=dict(type='OffsetHead', in_channels=...)"
            )
        self.student["offset_head"] = build_model(cfg)
        self.teacher["offset_head"] = build_model(cfg)
        self.teacher["offset_head"].load_state_dict(self.student["offset_head"].state_dict())
        self.teacher["offset_head"].requires_grad_(False)


def _span(length: torch.Tensor) -> str:
    low, high = float(length.min()), float(length.max())
    return f"{low:.3g} m" if high <= 1.01 * low else f"{low:.3g} to {high:.3g} m"


def _observed(views: BackboneOutput) -> torch.Tensor:
    """(N,) bool: voxels that the network saw."""
    return torch.ones_like(views.view, dtype=torch.bool) if views.observed is None else views.observed


def scene_field(views: BackboneOutput, head: _OffsetHead, views_per_scene: int) -> OffsetField:
    """Offsets that `head` predicts for a pass, turned from each view's frame into the scene's."""
    return OffsetField(
        coord=views.scene_coord,
        features=views.features.detach(),
        offset=transform_vectors(views.to_scene.matrix, head(views.features), views.view),
        view=views.view,
        valid=torch.ones_like(views.view, dtype=torch.bool),
        scene=views.view // views_per_scene,
        voxel=views.scene_voxel,
    )


def _head_defaults(pretrainer: dict) -> dict:
    """An offset head on the features that the pretrainer's own heads take in."""
    return dict(type="OffsetHead", in_channels=pretrainer.get("head_in_channels"))


def _check_pretrainer(pretrainer) -> None:
    """ValueError unless it has a student and a teacher, and its backbone a token for what it masks."""
    for name in ("student", "teacher"):
        if "backbone" not in getattr(pretrainer, name, {}):
            raise UserError(
                f"PointINS-v1m1: pretrainer {type(pretrainer).__name__} has no {name}['backbone']; expected a "
                "teacher-student pretrainer such as DOS-v1m1 or Sonata-v1m1"
            )
    masks = any(getattr(pretrainer, f"{name}_loss_weight", 0) for name in ("mask", "roll_mask"))  # Sonata and its kin
    backbone = pretrainer.student["backbone"]
    stem = getattr(backbone, "embedding", None)  # where PTv3 has it; other backbones know for themselves
    if masks and stem is not None and getattr(stem, "mask_token", None) is None:
        raise UserError(
            f"PointINS-v1m1: {type(pretrainer).__name__} masks points, and its backbone {type(backbone).__name__} has "
            "no mask token; take one with mask_token=True (PT-v3m2, PT-v3m3), set mask_loss_weight and "
            "roll_mask_loss_weight to 0, or take DOS-v1m1, which leaves masked points out"
        )


def _take_prefix_out(module, state_dict, prefix, local_metadata):
    """State-dict hook: the keys of the pretrainer, as if it were the model itself."""
    for key in list(state_dict):
        name = key.removeprefix(prefix)
        if key.startswith(prefix):
            state_dict[prefix + name.removeprefix(PREFIX)] = state_dict.pop(key)


def _put_prefix_in(state_dict, prefix, *_):
    """Its counterpart before loading."""
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[prefix + PREFIX + key.removeprefix(prefix)] = state_dict.pop(key)

"""PointINS-v1m1: the offset branch around any teacher-student pretrainer (METHOD 1)."""

from dataclasses import replace

import torch

from pointins_ext.branch import (
    OffsetField,
    Regulariser,
    match,
    offset_loss,
    offset_targets,
    recover_affine,
    transform_vectors,
)
from pointins_ext.branch.head import OffsetHead as _OffsetHead
from pointins_ext.host import MODELS, PointModel, build_model, get_root_logger
from pointins_ext.models.teacher_student import mean_over_ranks
from pointins_ext.models.views import Pass, up_cast

MODELS.register_module("OffsetHead")(_OffsetHead)


@MODELS.register_module("PointINS-v1m1")
class PointINS(PointModel):
    """Runs the wrapped `pretrainer` unchanged and teaches its student the instance offsets that its teacher predicts.

    The pretrainer must hold `student` and `teacher` ModuleDicts with a `backbone` each. Its modules, parameters and
    buffers are ours: state-dict keys, EMA, optimiser and checkpoints stay those of the pretrainer, plus `offset_head`.
    Regularisers (ODR, SCR) are installed by hooks through `add_regulariser`, in hook order.
    """

    def __init__(
        self,
        pretrainer,
        offset_head=None,
        offset_loss_weight=0.25,
        offset_warmup_ratio=0.1,
        offset_warmup_steps=None,
        match_radius=None,
    ):
        super().__init__()
        pretrainer = build_model(pretrainer)
        _check_pretrainer(pretrainer)
        # Sharing the dictionaries, not the module, keeps the prefix `pretrainer.` out of every key.
        for name in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
            object.__setattr__(self, name, getattr(pretrainer, name))
        object.__setattr__(self, "pretrainer", pretrainer)
        self._add_offset_heads(dict(offset_head or {}))

        self.offset_loss_weight = offset_loss_weight
        self.offset_warmup_ratio = offset_warmup_ratio
        self.offset_warmup_steps = offset_warmup_steps
        self.match_radius = match_radius
        self.teacher_regularisers: list[Regulariser] = []
        self.student_regularisers: list[Regulariser] = []
        self.step = 0
        self.warmup_steps = offset_warmup_steps or 0
        self.teacher_field: OffsetField | None = None  # before regularisation, for monitors
        self.target_field: OffsetField | None = None
        self._checked_views = False

    def train(self, mode=True):
        super().train(mode)
        self.pretrainer.training = mode
        return self

    def add_regulariser(self, regulariser: Regulariser, side: str = "teacher") -> None:
        """Install ODR or SCR on the teacher's offsets, or on the student's (the paper's layout ablation)."""
        {"teacher": self.teacher_regularisers, "student": self.student_regularisers}[side].append(regulariser)

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

    def after_step(self):
        self.step += 1
        self.pretrainer.after_step()

    def after_epoch(self):
        self.pretrainer.after_epoch()

    def after_train(self):
        self.pretrainer.after_train()

    # -- one step ---------------------------------------------------------------------------------------------------

    def forward(self, data_dict, **kwargs):
        teacher, student = [], []
        local = data_dict.get("local_origin_coord")

        def record(passes):
            def hook(module, args, output):
                views = up_cast(output, self.pretrainer.up_cast_level)
                passes.append(replace(views, local=local is not None and _same_storage(args[0]["origin_coord"], local)))

            return hook

        if getattr(self.pretrainer, "enc2d_loss_weight", None) == 0:
            # Concerto and Utonia look the images' key up also when their image branch is off
            data_dict = {"global_correspondence": None, **data_dict}
        with (
            self.teacher.backbone.register_forward_hook(record(teacher)),
            self.student.backbone.register_forward_hook(record(student)),
        ):
            result = self.pretrainer(data_dict, **kwargs)
        if not student:  # the pretrainer was asked for features, not for a loss
            return result

        if self.step < self.warmup_steps:
            # exactly zero, yet every head stays in the graph: DDP runs with find_unused_parameters=False
            loss = 0.0 - sum(self.student.offset_head(p.features).sum() for p in student) * 0.0
            matched = loss.detach()
        else:
            # half precision ends here: ranks, neighbours and metres need fp32
            with torch.autocast(teacher[0].coord.device.type, enabled=False):
                loss, matched = self.offset_loss(teacher[0], student)
        result["loss"] = result["loss"] + self.offset_loss_weight * loss
        return {**result, **mean_over_ranks(dict(offset_loss=loss, offset_matched=matched))}

    def offset_loss(self, teacher: Pass, students: list[Pass]) -> tuple[torch.Tensor, torch.Tensor]:
        """L_off over all student passes, and the share of student voxels that had a valid target."""
        with torch.no_grad():
            self.teacher_field = self._scene_field(teacher, self.teacher.offset_head)
            self.target_field = offset_targets(self.teacher_field, self.teacher_regularisers)
        losses, matched = [], []
        for student in students:
            field = self._scene_field(student, self.student.offset_head)
            prediction = self._regularised(field)
            views = self._target_views(student, int(teacher.view.max()) + 1)
            for target, valid in zip(*self._matched_targets(field, views), strict=True):
                losses.append(offset_loss(prediction, target, valid, field.view))
                matched.append(valid.float().mean())
        return torch.stack(losses).mean(), torch.stack(matched).mean()

    def _scene_field(self, views: Pass, head: _OffsetHead) -> OffsetField:
        """Predicted offsets of a pass, turned from each view's frame into the scene's."""
        affine = recover_affine(views.coord, views.origin_coord, views.view, int(views.view.max()) + 1)
        self._warn_nonlinear(affine.residual, views.voxel)
        scale = float(torch.linalg.det(affine.matrix).abs().median()) ** (1 / 3)
        # Pipelines may shrink a scene before the network sees it (Utonia: to a fifth). What augmentation does, some
        # 10 %, leaves the loss voxel as it is.
        voxel = views.voxel if 2 / 3 < scale < 3 / 2 else views.voxel * scale
        num_global = self.pretrainer.num_global_view
        return OffsetField(
            coord=views.origin_coord,
            features=views.features.detach(),
            offset=transform_vectors(affine.matrix, head(views.features), views.view),
            view=views.view,
            valid=torch.ones_like(views.view, dtype=torch.bool),
            scene=views.view // num_global,
            voxel=voxel,
        )

    def _regularised(self, field: OffsetField) -> torch.Tensor:
        """Student offsets, straight through its regularisers where the layout ablation put some."""
        refined = offset_targets(field.replace(offset=field.offset.detach()), self.student_regularisers)
        return field.offset + (refined.offset - field.offset).detach()

    def _target_views(self, student: Pass, num_teacher_views: int) -> torch.Tensor:
        """(V,N) teacher views of every student voxel: same and cross view, or the principal one if local."""
        num_global = self.pretrainer.num_global_view
        per_scene = (int(student.view.max()) + 1) * num_global // num_teacher_views
        scene, position = student.view // per_scene, student.view % per_scene
        if per_scene == num_global and not student.local:
            return torch.stack([student.view, scene * num_global + (position + 1) % num_global])
        return (scene * num_global)[None]

    def _matched_targets(self, field: OffsetField, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Target offsets (V,N,3) of every student voxel from its teacher views (V,N), and which are valid (V,N)."""
        target = self.target_field
        index = getattr(self.pretrainer, "matches", None)  # DOS has looked for the very same voxels
        if index is None or self.match_radius is not None:
            index = match(field.coord, views, target.coord, target.view, self.match_radius or target.voxel)
        valid = (index >= 0) & target.valid[index]
        return target.center[index] - field.coord, valid

    def _warn_nonlinear(self, residual: torch.Tensor, voxel: float) -> None:
        if self._checked_views:
            return
        self._checked_views = True
        if float(residual.max()) > voxel:
            get_root_logger().warning(
                f"views differ from their scene by {float(residual.max()):.3f} m after the best affine map: a "
                "non-linear augmentation (ElasticDistortion?) is on, and offsets cannot be turned back exactly. "
                "Take it out of global_transform and local_transform"
            )

    def _add_offset_heads(self, cfg: dict) -> None:
        cfg.setdefault("type", "OffsetHead")
        if "in_channels" not in cfg:
            cfg["in_channels"] = _head_in_channels(self.pretrainer)
        self.student["offset_head"] = build_model(cfg)
        self.teacher["offset_head"] = build_model(cfg)
        self.teacher["offset_head"].load_state_dict(self.student["offset_head"].state_dict())
        self.teacher["offset_head"].requires_grad_(False)


def _same_storage(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.shape == b.shape


def _check_pretrainer(pretrainer) -> None:
    for name in ("student", "teacher"):
        if "backbone" not in getattr(pretrainer, name, {}):
            raise ValueError(
                f"PointINS-v1m1: pretrainer {type(pretrainer).__name__} has no {name}['backbone']; expected a "
                "teacher-student pretrainer such as DOS-v1m1 or Sonata-v1m1"
            )


def _head_in_channels(pretrainer) -> int:
    """Width of the up-cast features: what the pretrainer's own heads take in."""
    for name, module in pretrainer.student.items():
        if name.endswith("head") and hasattr(module, "mlp"):
            return module.mlp[0].in_features
    raise ValueError(
        "PointINS-v1m1: cannot tell the width of the up-cast features from the pretrainer's heads; "
        "give offset_head=dict(type='OffsetHead', in_channels=...)"
    )

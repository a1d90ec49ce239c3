"""The backbone passes of a step: what a pretrainer's networks saw and made of it, in a form that no host overwrites."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from pointins_ext.branch import StageFeatures, recover_affine
from pointins_ext.branch.pose import Affine
from pointins_ext.errors import UserError
from pointins_ext.host import foreign, offset2batch
from pointins_ext.ops import segment_count, segment_max


@dataclass(frozen=True)
class BackboneOutput:
    """Up-cast output of one backbone pass: N loss voxels of all its views."""

    features: StageFeatures
    coord: torch.Tensor  # (N, 3) augmented, meters
    scene_coord: torch.Tensor  # (N, 3) scene, meters
    grid_coord: torch.Tensor  # (N, 3) integer cell at the loss stride
    view: torch.Tensor  # (N,) long
    num_views: int  # of the batch, also where some have no voxel
    voxel: float | torch.Tensor  # () edge of a loss voxel, units of `coord`
    local: bool = False  # local views of a multi-crop pretrainer
    observed: torch.Tensor | None = None  # (N,) bool: not hidden behind mask tokens alone; None: nothing is masked

    @cached_property
    def feat(self) -> torch.Tensor:
        """(N, C) up-cast features, finest stage first."""
        return self.features.concatenated()

    @cached_property
    def to_scene(self) -> Affine:
        """Maps of the (V) views into their scenes."""
        return recover_affine(self.coord, self.scene_coord, self.view, self.num_views)

    @cached_property
    def scene_voxel(self) -> torch.Tensor:
        """(V,) edge of a loss voxel in the scene of each view, meters.

        Pipelines may shrink a scene before the network sees it (Utonia: to a fifth, some scenes of a batch). What
        augmentation does, some 10 %, leaves the loss voxel as it is.
        """
        scale = torch.linalg.det(self.to_scene.matrix).abs() ** (1 / 3)
        return self.voxel * torch.where((scale > 2 / 3) & (scale < 3 / 2), torch.ones_like(scale), scale)


@dataclass(frozen=True)
class Passes:
    """All passes of a step: the teacher's over the global views, and every one of the student's."""

    teacher: BackboneOutput
    students: tuple[BackboneOutput, ...]
    # (2, M) teacher voxel of each voxel of the only student pass, same and cross view, -1 = none; where the pretrainer
    # has looked for them itself
    matches: torch.Tensor | None = None


def run(pretrainer, data_dict: dict) -> tuple[dict, Passes]:
    """The result of a pretrainer's training step on a batch, and its passes.

    Our own pretrainers return both from `training_step`; of any other the calls of its backbones are recorded.
    """
    if hasattr(pretrainer, "training_step"):
        return pretrainer.training_step(data_dict)
    teacher: list[BackboneOutput] = []
    student: list[BackboneOutput] = []
    local = data_dict.get("local_origin_coord")

    def record(outputs):
        def hook(module, args, output):
            is_local = local is not None and _same_storage(args[0]["origin_coord"], local)
            offset = data_dict["local_offset" if is_local else "global_offset"]
            views = up_cast(output, pretrainer.up_cast_level)
            outputs.append(replace(views, local=is_local, num_views=len(offset)))

        return hook

    with (
        pretrainer.teacher.backbone.register_forward_hook(record(teacher)),
        pretrainer.student.backbone.register_forward_hook(record(student)),
    ):
        result = pretrainer(foreign.complete(pretrainer, data_dict))
    return result, Passes(teacher[0], tuple(student))


def up_cast(point, levels: int) -> BackboneOutput:
    """Output at `levels` stages above the coarsest one, leaving `point` and its pooling chain as they are.

    Raises ValueError if the chain is shorter than that.
    """
    finest, coarse = point.feat, []
    for _ in range(levels):
        if "pooling_parent" not in point.keys():
            raise UserError(
                f"up_cast_level is {levels}, but the backbone has fewer pooling stages or is not traceable=True"
            )
        inverse, point = point.pooling_inverse, point.pooling_parent
        coarse = [(finest, inverse)] + [(feat, row[inverse]) for feat, row in coarse]
        finest = point.feat
    return BackboneOutput(
        features=StageFeatures(finest, tuple(coarse)),
        coord=point.coord.float(),
        scene_coord=point.origin_coord.float(),
        grid_coord=point.grid_coord,
        view=point.batch,
        num_views=len(_input(point).offset),
        voxel=point.grid_size,
        observed=_observed(point),
    )


def loss_voxels(point) -> torch.Tensor:
    """Voxel (N,) of the stage `point` that each of the N points became which entered the backbone."""
    inverse = None
    while "pooling_parent" in point.keys():
        # the stage's own inverse sends its parent's points to it
        inverse = point.pooling_inverse if inverse is None else inverse[point.pooling_inverse]
        point = point.pooling_parent
    if inverse is None:
        inverse = torch.arange(len(point.coord), device=point.coord.device)
    return inverse


def central_points(point, levels: int) -> torch.Tensor:
    """(N,) for each voxel of the stage `levels` above the coarsest: of the points in it that entered the backbone, the
    one nearest to their mean in the scene.
    """
    for _ in range(levels):
        point = point.pooling_parent
    voxel, scene = loss_voxels(point), _input(point).origin_coord.double()
    order = (scene - point.origin_coord.double()[voxel]).square().sum(1).argsort()
    order = order[voxel[order].argsort(stable=True)]  # voxel by voxel, each nearest first
    count = segment_count(voxel, len(point.coord))
    return order[count.cumsum(0) - count]


def global_views(data_dict) -> dict:
    """Input of a backbone: all global views of a batch, `batch` being the view, with the integer cells of each."""
    grid_size = data_dict["grid_size"].flatten()[0]
    offset, coord = data_dict["global_offset"], data_dict["global_coord"]
    view = offset2batch(offset)
    return dict(
        feat=data_dict["global_feat"],
        coord=coord,
        origin_coord=data_dict["global_origin_coord"],
        batch=view,
        offset=offset,
        grid_coord=view_cells(coord, view, len(offset), grid_size),
        grid_size=grid_size,
    )


def observed(views: dict, visible: torch.Tensor) -> dict:
    """The points `visible` (N,) bool of a backbone's input; views that lose all their points stay as empty ones."""
    rows = visible.nonzero().squeeze(1)
    kept = {key: value[rows] for key, value in views.items() if key not in ("grid_size", "offset")}
    offset = segment_count(kept["batch"], len(views["offset"])).cumsum(0)
    return kept | dict(offset=offset, grid_size=views["grid_size"])


def view_cells(coord: torch.Tensor, view: torch.Tensor, num_views: int, size: float | torch.Tensor) -> torch.Tensor:
    """(N,3) int: cubes of edge `size` that coordinates (N,3) fall into, counted from the corner of their own view."""
    corner = -segment_max(-coord, view, num_views)
    return ((coord - corner[view]) / size).floor().int()


def _input(point):
    """The Point that entered the backbone: it knows views without points and what was masked, poolings forget them."""
    while "pooling_parent" in point.keys():
        point = point.pooling_parent
    return point


def _observed(point) -> torch.Tensor | None:
    """(N,) bool: voxels with a point whose features the backbone saw, where it put a mask token on others."""
    entered = _input(point)
    if "mask" not in entered.keys():
        return None
    return segment_count(loss_voxels(point)[~entered.mask], len(point.coord)) > 0


def _same_storage(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.shape == b.shape

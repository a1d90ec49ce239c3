"""What a backbone pass leaves at the loss resolution, in a form that no host overwrites."""

from dataclasses import dataclass

import torch

from pointins_ext.host import offset2batch


@dataclass(frozen=True)
class Pass:
    """Up-cast output of one backbone pass: N loss voxels of all its views."""

    feat: torch.Tensor  # (N, C), finest stage first
    stage_channels: tuple[int, ...]
    coord: torch.Tensor  # (N, 3) augmented, metres
    origin_coord: torch.Tensor  # (N, 3) scene, metres
    grid_coord: torch.Tensor  # (N, 3) integer cell at the loss stride
    view: torch.Tensor  # (N,) long
    voxel: float  # edge of a loss voxel, units of `coord`
    local: bool = False  # local views of a multi-crop pretrainer


def up_cast(point, levels: int) -> Pass:
    """Carry coarse features `levels` stages up and concatenate, leaving `point` and its pooling chain as they are."""
    feats = [point.feat]
    for _ in range(levels):
        if "pooling_parent" not in point.keys():
            raise ValueError(
                f"up_cast_level is {levels}, but the backbone has fewer pooling stages or is not traceable=True"
            )
        inverse, point = point.pooling_inverse, point.pooling_parent
        feats = [point.feat] + [feat[inverse] for feat in feats]
    channels = tuple(feat.shape[1] for feat in feats)
    return Pass(
        feat=torch.cat(feats, dim=1),
        stage_channels=channels,
        coord=point.coord.float(),
        origin_coord=point.origin_coord.float(),
        grid_coord=point.grid_coord,
        view=point.batch,
        voxel=float(point.grid_size),
    )


def view_cells(coord: torch.Tensor, view: torch.Tensor, size: float | torch.Tensor) -> torch.Tensor:
    """(N,3) int: cubes of edge `size` that coordinates (N,3) fall into, counted from the corner of their own view."""
    corner = torch.stack([coord[view == v].amin(0) for v in range(int(view.max()) + 1)])
    return ((coord - corner[view]) / size).floor().int()


def global_views(data_dict) -> dict:
    """Input of a backbone: all global views of a batch, `batch` being the view, with the integer cells of each."""
    grid_size = data_dict["grid_size"].flatten()[0]
    view = offset2batch(data_dict["global_offset"])
    coord = data_dict["global_coord"]
    return dict(
        feat=data_dict["global_feat"],
        coord=coord,
        origin_coord=data_dict["global_origin_coord"],
        batch=view,
        grid_coord=view_cells(coord, view, grid_size),
        grid_size=grid_size,
    )

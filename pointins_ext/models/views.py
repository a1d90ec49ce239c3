"""What a backbone pass leaves at the loss resolution, in a form that no host overwrites."""

from dataclasses import dataclass
from functools import cached_property

import torch

from pointins_ext.branch import StageFeatures
from pointins_ext.host import offset2batch


@dataclass(frozen=True)
class Pass:
    """Up-cast output of one backbone pass: N loss voxels of all its views."""

    features: StageFeatures
    coord: torch.Tensor  # (N, 3) augmented, metres
    origin_coord: torch.Tensor  # (N, 3) scene, metres
    grid_coord: torch.Tensor  # (N, 3) integer cell at the loss stride
    view: torch.Tensor  # (N,) long
    voxel: float  # edge of a loss voxel, units of `coord`
    local: bool = False  # local views of a multi-crop pretrainer

    @cached_property
    def feat(self) -> torch.Tensor:
        """(N, C) up-cast features, finest stage first."""
        return self.features.concatenated()


def up_cast(point, levels: int) -> Pass:
    """Pass at `levels` stages above the coarsest one, leaving `point` and its pooling chain as they are."""
    finest, coarse = point.feat, []
    for _ in range(levels):
        if "pooling_parent" not in point.keys():
            raise ValueError(
                f"up_cast_level is {levels}, but the backbone has fewer pooling stages or is not traceable=True"
            )
        inverse, point = point.pooling_inverse, point.pooling_parent
        coarse = [(finest, inverse)] + [(feat, row[inverse]) for feat, row in coarse]
        finest = point.feat
    return Pass(
        features=StageFeatures(finest, tuple(coarse)),
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

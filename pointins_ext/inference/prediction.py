"""What a network says of one scan, and the instances that follow."""

from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.branch import GraphRule
from pointins_ext.instances import MIN_VOXELS, Instances, find_instances


@dataclass(frozen=True)
class Prediction:
    """What the network says of one scan; V voxels at the finest level, N raw points, meters of the scan."""

    coord: np.ndarray  # (V, 3) one raw point for each voxel
    offset: np.ndarray  # (V, 3) towards the instance center
    feat: np.ndarray  # (V, C) features of the loss stage
    normal: np.ndarray | None  # (V, 3) those of the scan, if it has any
    nearest: np.ndarray  # (N,) voxel of every raw point
    voxel: float  # edge of a voxel

    def raw_offset(self) -> torch.Tensor:
        """(N, 3) offsets of the raw points: those of their nearest voxels."""
        return torch.from_numpy(self.offset[self.nearest])

    def find(self, radius: float | None = None, min_points: int = MIN_VOXELS, **options) -> Instances:
        """Instances of the voxels; `radius`: of the edges between voxels, meters (default: 6 voxels); options of
        `find_instances`.
        """
        rule = GraphRule() if radius is None else GraphRule(radius=radius / self.voxel)
        options = dict(rule=rule, min_points=min_points) | options
        return find_instances(self.coord, self.offset, self.feat, self.voxel, self.normal, **options)

    def instances(self, radius: float | None = None, min_points: int = MIN_VOXELS) -> np.ndarray:
        """(N,) instance of every raw point, -1 = none: that of its voxel, see `find`."""
        return self.find(radius, min_points).label[self.nearest]

    def why_nothing(self, radius: float | None = None, min_points: int = MIN_VOXELS) -> str:
        """A line for a scan without instances: what was asked for, and what to try."""
        radius = radius or GraphRule.radius * self.voxel
        return (
            f"0 instances: of the {len(self.coord)} voxels of {self.voxel:.3g} m no {min_points} are joined within "
            f"{radius:.3g} m; try a smaller min_points, a larger radius, or the voxel that suits the scan (grid_size)"
        )

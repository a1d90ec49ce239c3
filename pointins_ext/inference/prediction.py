"""What a network says of one scan, and the instances that follow."""

from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.instances import cluster_offsets

# Shifted points closer than this belong together, in voxels of the finest level: offsets draw an object's points
# together while its border to the next keeps its spacing. Small pieces join the nearest instance within
# reach. Both were chosen on rooms of the split "test", never on "val".
RADIUS_VOXELS = 0.9
REACH_VOXELS = 3.0
MIN_VOXELS = 50


@dataclass(frozen=True)
class Prediction:
    """What the network says of one scan; V voxels at the finest level, N raw points, meters of the scan."""

    coord: np.ndarray  # (V, 3) one raw point for each voxel
    offset: np.ndarray  # (V, 3) towards the instance center
    feat: np.ndarray  # (V, C) up-cast features, finest stage first
    stage_channels: tuple[int, ...]
    nearest: np.ndarray  # (N,) voxel of every raw point
    voxel: float  # edge of a voxel

    @property
    def fine_feat(self) -> np.ndarray:
        """(V, C0) the slice that belongs to the loss resolution."""
        return self.feat[:, : self.stage_channels[0]]

    def raw_offset(self) -> torch.Tensor:
        """(N, 3) offsets of the raw points: those of their nearest voxels."""
        return torch.from_numpy(self.offset[self.nearest])

    def instances(self, radius: float | None = None, min_points: int = MIN_VOXELS) -> np.ndarray:
        """(N,) instance of every raw point, -1 = none: shifted voxels joined up to `radius` meters."""
        radius, reach = radius or RADIUS_VOXELS * self.voxel, REACH_VOXELS * self.voxel
        label = cluster_offsets(self.coord, self.offset, radius, min_points, reach=reach)
        return label[self.nearest]

    def why_nothing(self, radius: float | None = None, min_points: int = MIN_VOXELS) -> str:
        """A line for a scan without instances: what was asked for, and what to try."""
        radius = radius or RADIUS_VOXELS * self.voxel
        return (
            f"0 instances: of the {len(self.coord)} voxels of {self.voxel:.3g} m no {min_points} are joined within "
            f"{radius:.3g} m; try a smaller min_points, a larger radius, or the voxel that suits the scan (grid_size)"
        )

"""From teacher offsets to target centers: every installed regularizer in turn (ODR, then SCR)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from pointins_ext.branch.features import StageFeatures
from pointins_ext.branch.scr import PseudoInstances
from pointins_ext.ops import neighbours


@dataclass(frozen=True)
class OffsetField:
    """The teacher's view of a batch at the loss resolution: N voxels of all views, scene frame, meters."""

    coord: torch.Tensor  # (N, 3) scene coordinates
    features: StageFeatures
    offset: torch.Tensor  # (N, 3)
    view: torch.Tensor  # (N,) long
    valid: torch.Tensor  # (N,) bool
    scene: torch.Tensor  # (N,) long: views of one scene share it
    voxel: torch.Tensor  # (V,) edge of a loss voxel of each view: scenes of one batch may differ in scale
    instances: PseudoInstances | None = None

    def replace(self, **changes) -> "OffsetField":
        return replace(self, **changes)

    @property
    def center(self) -> torch.Tensor:
        """(N,3) the point that every voxel points at."""
        return self.coord + self.offset

    def border(self) -> torch.Tensor:
        """(N,) bool: voxels at the edge of their view where another view of the scene goes on."""
        border = torch.zeros_like(self.valid)
        for view in self.view.unique():
            own = self.view == view
            other = ~own & (self.scene == self.scene[own][0])
            border[own] = _beside_missing(self.coord[own], self.coord[other], float(self.voxel[view]))
        return border


class Regularizer(Protocol):
    """What ODR and SCR share: one field in, the refined field out."""

    def refine(self, field: OffsetField) -> OffsetField: ...


@torch.no_grad()
def offset_targets(field: OffsetField, regularizers: Sequence[Regularizer]) -> OffsetField:
    """The field after all `regularizers` in order; without any, the teacher's own offsets are the target."""
    for regularizer in regularizers:
        field = regularizer.refine(field)
    finite = torch.isfinite(field.offset).all(dim=1)
    return field.replace(offset=field.offset.nan_to_num(0, 0, 0), valid=field.valid & finite)


def match(
    query: torch.Tensor,
    query_group: torch.Tensor,
    support: torch.Tensor,
    support_group: torch.Tensor,
    radius: float | torch.Tensor,
) -> torch.Tensor:
    """Index of the nearest support point of the same group within `radius` meters, -1 = none.

    query (M,3), support (N,3); query_group (M,), or (V,M) to match every query in V groups -> long, its shape.
    radius: for all, or (G,) one for each group.
    """
    queries = query.repeat(query_group.numel() // max(len(query), 1), 1)
    group = query_group.flatten()
    if not isinstance(radius, torch.Tensor):
        return neighbours(queries, support, group, support_group, 1, radius).view_as(query_group)
    index = neighbours(queries, support, group, support_group, 1, radius.max()).squeeze(1)
    distance = (queries.double() - support.double()[index]).norm(dim=1)
    return torch.where(distance <= radius[group], index, -1).view_as(query_group)


def _beside_missing(own: torch.Tensor, other: torch.Tensor, voxel: float) -> torch.Tensor:
    """Points of `own` within two voxels of a point of `other` that `own` does not cover."""
    missing = other[neighbours(other, own, None, None, 1, voxel).squeeze(1) < 0]
    return neighbours(own, missing, None, None, 1, 2 * voxel).squeeze(1) >= 0

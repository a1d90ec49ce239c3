"""Features of several backbone stages at the loss resolution, carried up only when they are needed."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class StageFeatures:
    """Up-cast features of N loss voxels; `coarse` has (M,C) and the row (N,) of every voxel for each coarser stage."""

    finest: torch.Tensor  # (N, C)
    coarse: tuple[tuple[torch.Tensor, torch.Tensor], ...] = ()

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each stage, finest first."""
        return (self.finest.shape[1], *(feat.shape[1] for feat, _ in self.coarse))

    def detach(self) -> "StageFeatures":
        return StageFeatures(self.finest.detach(), tuple((feat.detach(), row) for feat, row in self.coarse))

    def stages(self) -> list[torch.Tensor]:
        """Every stage at the loss resolution, (N,C) each, finest first."""
        return [self.finest, *(feat[row] for feat, row in self.coarse)]

    def concatenated(self) -> torch.Tensor:
        """(N, sum of C), finest stage first."""
        return torch.cat(self.stages(), dim=1)

"""Spatial clustering regularization (SCR): pseudo-instances give every point one common center to point at."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pointins_ext.errors import UserError
from pointins_ext.ops import kmeans, neighbor_components, neighbours, segment_count, segment_max, segment_mean

FEATURES = ("loss_stage", "balanced", "concat")


@dataclass(frozen=True)
class PseudoInstances:
    """Pseudo-instances of all groups of a batch."""

    label: torch.Tensor  # (N,) long, unique over groups
    center: torch.Tensor  # (N, 3) centroid of the point's instance, real coordinates, meters
    valid: torch.Tensor  # (N,) bool: large enough, not too far, not cut
    segment: torch.Tensor  # (N,) long, semantic cluster within the group
    cut: torch.Tensor  # (N,) bool: the instance touches the border of its crop


class SpatialClusteringRegularization:
    """K-means segments, split into connected components of predicted centers (paper, SCR).

    `num_clusters` K per group; `num_neighbours` and `radius` (meters) bound the graph on the shifted points,
    `radius=None` is the paper's uncut graph; components of fewer than `min_points` and targets longer than `max_length`
    meters (None: no cap) are invalid: what reaches further than objects do is floor or wall, and its center depends on
    the crop. `feature` picks the slice of the teacher's up-cast features that `refine` clusters: "loss_stage" = the
    stage at the loss resolution, "balanced" = all stages with equal weight, "concat" = as they are (the paper's). For
    ablations only: "balanced", and `exclude_cut`, which makes components that touch the border of the crop invalid,
    because their centroid is not the object's.
    """

    def __init__(
        self,
        num_clusters: int = 20,
        num_neighbours: int = 8,
        radius: float | None = 0.12,
        min_points: int = 10,
        max_length: float | None = None,
        feature: str = "concat",
        exclude_cut: bool = False,
        generator: torch.Generator | None = None,
    ):
        if feature not in FEATURES:
            raise UserError(f"SCR feature '{feature}' is unknown; expected one of {', '.join(FEATURES)}")
        if num_clusters < 1 or num_neighbours < 1:
            raise UserError(
                f"SCR num_clusters is {num_clusters} and num_neighbours {num_neighbours}; expected at least 1 each"
            )
        if radius is not None and radius <= 0:
            raise UserError(f"SCR radius is {radius}; expected meters > 0, or None for no bound")
        self.num_clusters = num_clusters
        self.num_neighbours = num_neighbours
        self.radius = radius
        self.min_points = min_points
        self.max_length = max_length
        self.feature = feature
        self.exclude_cut = exclude_cut
        self.generator = generator

    @torch.no_grad()
    def __call__(
        self,
        coord: torch.Tensor,
        feat: torch.Tensor,
        offset: torch.Tensor,
        group: torch.Tensor,
        border: torch.Tensor | None = None,
    ) -> PseudoInstances:
        """Pseudo-instances of `coord` (N,3) with teacher features `feat` (N,C) and offsets `offset` (N,3), scene frame.

        `group` (N,) is the view; `border` (N,) bool marks points at the edge of their crop.
        """
        segment = kmeans(feat, group, self.num_clusters, self.generator, normalize=True)
        label = self._components(coord + offset, group * self.num_clusters + segment)
        count = int(label.max()) + 1 if len(label) else 0

        center = segment_mean(coord, label, count)[label]
        valid = (segment_count(label, count) >= self.min_points)[label]
        if self.max_length is not None:
            valid &= (center - coord).norm(dim=1) <= self.max_length
        cut = torch.zeros_like(valid)
        if border is not None:
            cut = segment_max(border.float(), label, count)[label] > 0
            if self.exclude_cut:
                valid &= ~cut
        return PseudoInstances(label, center, valid, segment, cut)

    def refine(self, field):
        """Point the offsets of an `OffsetField` at the centroids of their pseudo-instances."""
        border = field.border() if self.exclude_cut else None
        instances = self(field.coord, self._slice(field), field.offset, field.view, border)
        return field.replace(
            offset=instances.center - field.coord, valid=field.valid & instances.valid, instances=instances
        )

    def _components(self, center: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        # one neighbor more: every point finds itself first
        return neighbor_components(neighbours(center, center, group, group, self.num_neighbours + 1, self.radius))

    def _slice(self, field) -> torch.Tensor:
        if self.feature == "loss_stage":
            return field.features.finest
        if self.feature == "balanced":
            return torch.cat([F.normalize(stage.float(), dim=1) for stage in field.features.stages()], dim=1)
        return field.features.concatenated()

"""The length prior of ODR fitted without labels, from geometric instances of some scans (paper, Sec. 3.2)."""

from collections.abc import Iterable

import torch

from pointins_ext.branch import MagnitudePrior
from pointins_ext.errors import UserError
from pointins_ext.instances.centers import true_offsets
from pointins_ext.instances.rivals import hdbscan_instances
from pointins_ext.ops import neighbor_components, neighbours, plane_points, segment_count, segment_max


def magnitudes_from_instances(coord: torch.Tensor, instance: torch.Tensor) -> torch.Tensor:
    """Point-to-centroid lengths (M,), meters, of the points of `coord` (N,3) whose `instance` (N,) is not -1."""
    return true_offsets(coord, instance)[instance >= 0].norm(dim=1)


def label_free_instances(
    coord: torch.Tensor,
    radius: float = 0.08,
    method: str = "components",
    min_points: int = 30,
    max_extent: float = 3.0,
    remove_planes: bool = True,
) -> torch.Tensor:
    """Geometric pseudo-instances (N,), -1 = none, of one scan `coord` (N,3), meters, for fitting a prior.

    Dominant planes (ground, walls) go first, unless `remove_planes` is off; then Euclidean components (edges up to
    `radius`) or HDBSCAN group what is left; groups of fewer than `min_points` points or longer than `max_extent` meters
    are dropped.
    """
    label = coord.new_full((len(coord),), -1, dtype=torch.long)
    plane = plane_points(coord) if remove_planes else torch.zeros_like(label, dtype=torch.bool)
    kept = (~plane).nonzero().squeeze(1)
    if len(kept) < min_points:
        return label
    if method == "components":
        label[kept] = neighbor_components(neighbours(coord[kept], coord[kept], None, None, k=9, radius=radius))
    elif method == "hdbscan":
        found = hdbscan_instances(coord[kept].cpu(), min_points, min_samples=min_points)
        label[kept] = torch.from_numpy(found).to(coord.device)
    else:
        raise UserError(f"prior method '{method}' is unknown; expected 'components' or 'hdbscan'")
    return _drop_implausible(coord, label, min_points, max_extent)


def fit_label_free(scans: Iterable[torch.Tensor], source: str = "label-free prior", **options) -> MagnitudePrior:
    """Prior fitted without labels from scans (N,3), meters; options as `label_free_instances`."""
    parts = [magnitudes_from_instances(coord, label_free_instances(coord, **options)) for coord in scans]
    lengths = torch.cat(parts) if parts else torch.zeros(0)
    if len(lengths) < 100:
        raise UserError(
            f"{source}: only {len(lengths)} points lie on plausible objects; expected at least 100. "
            "Use a built-in prior ('indoor', 'outdoor') or pass a larger radius"
        )
    return MagnitudePrior.fit(lengths, source)


def _drop_implausible(coord: torch.Tensor, label: torch.Tensor, min_points: int, max_extent: float) -> torch.Tensor:
    member = label >= 0
    count = int(label.max()) + 1
    if count == 0:
        return label
    point, group = coord[member], label[member]
    extent = segment_max(point, group, count) + segment_max(-point, group, count)
    plausible = (segment_count(group, count) >= min_points) & (extent.norm(dim=1) <= max_extent)
    kept = label.clone()
    kept[member] = torch.where(plausible[group], group, torch.full_like(group, -1))
    return kept

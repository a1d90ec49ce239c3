"""View-to-scene transforms, recovered from the points themselves: no pipeline has to record what it did."""

from typing import NamedTuple

import torch

from pointins_ext.ops import segment_count, segment_mean, segment_sum

# Ridge towards the nearest rotation: directions in which a view spreads by less meters, or by a smaller share of its
# whole spread (where its square would be lost beside it), turn with the others.
RIDGE, RIDGE_SHARE = 1e-3, 1e-6


class Affine(NamedTuple):
    """Per group: `origin = coord @ matrix[g].T + shift[g]`, and the rms misfit in meters."""

    matrix: torch.Tensor  # (G, 3, 3)
    shift: torch.Tensor  # (G, 3)
    residual: torch.Tensor  # (G,)


@torch.no_grad()
def recover_affine(coord: torch.Tensor, origin_coord: torch.Tensor, group: torch.Tensor, num_groups: int) -> Affine:
    """Least-squares map from augmented `coord` (N,3) to scene `origin_coord` (N,3) for each of `num_groups` views.

    Exact for rotation, flip, scale and shift, also on voxel means (they commute with affine maps). The augmented points
    are regressed on the scene's and the map is inverted, so that jitter, which only the former carry, adds no bias.
    """
    scene, view = origin_coord.double(), coord.double()
    scene_mean = segment_mean(scene, group, num_groups)
    view_mean = segment_mean(view, group, num_groups)
    scene, view = scene - scene_mean[group], view - view_mean[group]

    count = segment_count(group, num_groups).clamp_min(1)
    identity = torch.eye(3, dtype=scene.dtype, device=scene.device)
    gram = _outer_products(scene, scene, group, num_groups)
    spread = gram.diagonal(dim1=1, dim2=2).sum(1)
    ridge = (RIDGE**2 * count + RIDGE_SHARE**2 * spread)[:, None, None]
    cross = _outer_products(view, scene, group, num_groups)
    # not towards the identity: a bare wall turned by 90 degrees would leave its normal parallel to the wall
    left, _, right = torch.linalg.svd(cross + ridge * identity)
    # view = scene @ to_view.T
    to_view = torch.linalg.solve(gram + ridge * identity, cross + ridge * (left @ right), left=False)

    # sum of |to_view @ scene - view|^2, from the moments
    misfit = torch.einsum("gij,gjk,gik->g", to_view, gram, to_view) - 2 * torch.einsum("gij,gij->g", to_view, cross)
    misfit = misfit + segment_sum(view.square().sum(1), group, num_groups)
    matrix = torch.linalg.pinv(to_view)
    shift = scene_mean - torch.einsum("gij,gj->gi", matrix, view_mean)
    residual = (misfit / count).clamp_min(0).sqrt()
    return Affine(matrix.float(), shift.float(), residual.float())


def transform_vectors(matrix: torch.Tensor, vector: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """`vector` (N,3) times its group's `matrix` (G,3,3), without shift: offsets from the view to the scene frame."""
    return torch.einsum("nij,nj->ni", matrix[group], vector)


def _outer_products(left, right, group, num_groups):
    """Sums of left right^T in each group, (num_groups, 3, 3); row by row takes a third of the memory and time."""
    return torch.stack([segment_sum(left[:, i, None] * right, group, num_groups) for i in range(3)], dim=1)

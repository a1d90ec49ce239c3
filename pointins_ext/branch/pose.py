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

    moments = (
        scene_mean,
        view_mean,
        segment_count(group, num_groups).clamp_min(1),
        _outer_products(scene, scene, group, num_groups),
        _outer_products(view, scene, group, num_groups),
        segment_sum(view.square().sum(1), group, num_groups),
    )
    affine = torch.cat([part.reshape(num_groups, -1) for part in _solved(*_to_host(moments))], dim=1)
    matrix, shift, residual = affine.float().to(coord.device, non_blocking=True).split([9, 3, 1], dim=1)
    return Affine(matrix.view(-1, 3, 3), shift, residual.squeeze(1))


def _solved(scene_mean, view_mean, count, gram, cross, square):
    """Matrix (G,3,3), shift (G,3) and residual (G,) from the moments of the points."""
    identity = torch.eye(3, dtype=gram.dtype)
    spread = gram.diagonal(dim1=1, dim2=2).sum(1)
    ridge = (RIDGE**2 * count + RIDGE_SHARE**2 * spread)[:, None, None]
    # not towards the identity: a bare wall turned by 90 degrees would leave its normal parallel to the wall
    left, _, right = torch.linalg.svd(cross + ridge * identity)
    # view = scene @ to_view.T
    to_view = torch.linalg.solve(gram + ridge * identity, cross + ridge * (left @ right), left=False)

    # sum of |to_view @ scene - view|^2, from the moments
    misfit = torch.einsum("gij,gjk,gik->g", to_view, gram, to_view) - 2 * torch.einsum("gij,gij->g", to_view, cross)
    matrix = torch.linalg.pinv(to_view)
    shift = scene_mean - torch.einsum("gij,gj->gi", matrix, view_mean)
    return matrix, shift, ((misfit + square) / count).clamp_min(0).sqrt()


def _to_host(tensors):
    """Tensors (G, ...) on the CPU, in double precision: one copy instead of a question in each decomposition."""
    packed = torch.cat(
        [tensor.double().flatten(1) if tensor.dim() > 1 else tensor.double()[:, None] for tensor in tensors], 1
    )
    parts = packed.cpu().split([tensor[:1].numel() for tensor in tensors], dim=1)
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def transform_vectors(matrix: torch.Tensor, vector: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """`vector` (N,3) times its group's `matrix` (G,3,3), without shift: offsets from the view to the scene frame."""
    return torch.einsum("nij,nj->ni", matrix[group], vector)


def _outer_products(left, right, group, num_groups):
    """Sums of left right^T in each group, (num_groups, 3, 3); row by row takes a third of the memory and time."""
    return torch.stack([segment_sum(left[:, i, None] * right, group, num_groups) for i in range(3)], dim=1)

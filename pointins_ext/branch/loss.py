"""The offset loss: distance and direction."""

import torch

from pointins_ext.ops import segment_sum

# Shorter vectors, in meters, have no direction worth learning; the bound also keeps the gradient of the cosine finite.
MIN_LENGTH = 1e-4


def offset_loss(
    prediction: torch.Tensor,
    target: torch.Tensor,
    valid: torch.Tensor | None = None,
    group: torch.Tensor | None = None,
    num_groups: int | None = None,
) -> torch.Tensor:
    """L_off = mean_i ( ||o_i - O*_i||_1 + 1 - cos(o_i, O*_i) ) over valid points; exactly zero where none is valid.

    `prediction`, `target`: (N,3) meters, scene frame; `valid`: (N,) bool. With `group` (N,), all groups that have valid
    points weigh the same, because hosts average over clouds: several processes then give the gradient of one. A GPU
    need not be asked for `num_groups` if it is given.
    """
    valid = torch.ones(len(prediction), dtype=torch.bool, device=prediction.device) if valid is None else valid
    prediction = prediction.float()
    target = torch.where(valid[:, None], target.float(), torch.zeros_like(prediction))
    distance = (prediction - target).abs().sum(1)
    length = prediction.norm(dim=1).clamp_min(MIN_LENGTH) * target.norm(dim=1).clamp_min(MIN_LENGTH)
    point_loss = distance + 1 - (prediction * target).sum(1) / length
    # torch.where, not a product: what is invalid must not pass a NaN on
    point_loss = torch.where(valid, point_loss, torch.zeros_like(point_loss))
    return (point_loss * _point_weight(valid, group, num_groups)).sum()


def _point_weight(valid: torch.Tensor, group: torch.Tensor | None, num_groups: int | None) -> torch.Tensor:
    if group is None:
        return valid / valid.sum().clamp_min(1)
    if num_groups is None:
        num_groups = int(group.max()) + 1 if len(group) else 0
    count = segment_sum(valid.long(), group, num_groups)
    return valid / (count.clamp_min(1)[group] * (count > 0).sum().clamp_min(1))

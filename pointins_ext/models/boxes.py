"""Box regression of PSA: the head, and its targets in the frame of a view."""

import torch
from torch import nn

MIN_SIZE = 0.05  # meters: a thinner side is sensor noise, and its logarithm would dwarf all other targets


class BoxHead(nn.Module):
    """Features of a voxel in both views (N,2C) to its box residual (N,8), see `box_targets`."""

    def __init__(self, in_channels: int, hidden_channels: int = 256):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * in_channels, hidden_channels),
            nn.LayerNorm(hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, hidden_channels),
            nn.LayerNorm(hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, 8),
        )
        nn.init.normal_(self.mlp[-1].weight, std=1e-3)
        nn.init.zeros_(self.mlp[-1].bias)

    def forward(self, feat: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        # fp32 outside autocast, as the offset head: residuals are centimeters in several meters
        with torch.autocast(feat.device.type, enabled=False):
            return self.mlp(torch.cat([feat.float(), other.float()], dim=1))


def box_targets(
    box: torch.Tensor, coord: torch.Tensor, to_view: torch.Tensor, shift: torch.Tensor, anchor: torch.Tensor
) -> torch.Tensor:
    """Residual (N,8) of upright scene boxes to an anchor of fixed size at each point, in the frame of the point's view.

    box (N,7) meters, scene frame: center, size (l, w, h), yaw; coord (N,3) of the points in the view; to_view (N,3,3),
    shift (N,3) with `view = (scene - shift) @ to_view.T`; anchor (3,) size. The numbers are (center - point) / diagonal
    of the anchor, log(size / anchor), sin and cos of twice the yaw: a box turned by 180 degrees is the same box.
    Axes and sizes follow flips and scales of the view; a view's slight tilt counts for center and size alone.
    """
    center, size, yaw = box[:, :3], box[:, 3:6].clamp_min(MIN_SIZE), box[:, 6]
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    cos, sin = yaw.cos(), yaw.sin()
    length, width, height = (
        torch.einsum("nij,nj->ni", to_view, torch.stack(axis, dim=1))
        for axis in ((cos, sin, zero), (-sin, cos, zero), (zero, zero, one))
    )
    scale = torch.stack([axis.norm(dim=1) for axis in (length, width, height)], dim=1)
    cos, sin = (length[:, :2] / length[:, :2].norm(dim=1, keepdim=True).clamp_min(1e-6)).unbind(1)
    view_center = torch.einsum("nij,nj->ni", to_view, center - shift)
    return torch.cat(
        [
            (view_center - coord) / anchor.norm(),
            (size * scale / anchor).clamp_min(1e-6).log(),
            torch.stack([2 * sin * cos, cos * cos - sin * sin], dim=1),
        ],
        dim=1,
    )

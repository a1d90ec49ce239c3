"""The offset head (METHOD 1.10 #4)."""

import torch
from torch import nn


class OffsetHead(nn.Module):
    """Two-layer MLP from point features (N,C) to instance offsets (N,3), metres, frame of the view.

    No BatchNorm and no dropout: teachers are averaged by parameter, not by buffer, and run in train mode. The last
    layer starts near zero, so that untrained offsets leave every point where it is.
    """

    def __init__(self, in_channels: int, hidden_channels: int = 256):
        super().__init__()
        last = nn.Linear(hidden_channels, 3)
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.LayerNorm(hidden_channels), nn.GELU(), last
        )
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        # fp32 outside autocast: a millimetre is lost in half precision at ten metres
        with torch.autocast(feat.device.type, enabled=False):
            return self.mlp(feat.float())

"""The offset head: from features to the vector that leads to the center of the object."""

import torch
import torch.nn.functional as F
from torch import nn

from pointins_ext.branch.features import StageFeatures


class OffsetHead(nn.Module):
    """Two-layer MLP from up-cast features of N points to their instance offsets (N,3), meters, frame of the view.

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

    def forward(self, features: StageFeatures) -> torch.Tensor:
        # fp32 outside autocast: a millimeter is lost in half precision at ten meters
        with torch.autocast(features.finest.device.type, enabled=False):
            return self.mlp[1:](self._first_layer(features))

    def _first_layer(self, features: StageFeatures) -> torch.Tensor:
        """`mlp[0]` of the concatenated features, each stage at its own resolution: a third of the products."""
        first = self.mlp.get_submodule("0")
        weight, *coarse_weights = first.get_parameter("weight").split(features.channels, dim=1)
        hidden = F.linear(features.finest.float(), weight, first.get_parameter("bias"))
        for (feat, row), weight in zip(features.coarse, coarse_weights, strict=True):
            hidden = hidden + F.linear(feat.float(), weight).index_select(0, row)
        return hidden

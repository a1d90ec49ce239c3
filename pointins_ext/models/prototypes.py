"""From features to prototypes: the head that our teacher-student pretrainers share."""

import torch
import torch.nn.functional as F
from torch import nn


class PrototypeHead(nn.Module):
    """Projector and weight-normalized prototypes: features (N,C) to cosine similarities (N,K)."""

    def __init__(self, in_channels: int, hidden_channels: int, embed_channels: int, num_prototypes: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.GELU(), nn.Linear(hidden_channels, embed_channels)
        )
        self.prototype = nn.Linear(embed_channels, num_prototypes, bias=False)
        for layer in (self.mlp[0], self.mlp[2], self.prototype):
            nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(self.mlp[0].bias)
        nn.init.zeros_(self.mlp[2].bias)

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        embedding = self.mlp(feat)
        with torch.autocast(feat.device.type, enabled=False):
            embedding = F.normalize(embedding.float(), dim=1)
            return embedding @ F.normalize(self.prototype.weight.float(), dim=1).T

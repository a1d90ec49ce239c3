"""A backbone without any randomness that runs on every host: linear stem with a mask token, mean pooling, tanh."""

import torch
from torch import nn


class PoolingBackbone(nn.Module):
    """`channels` of the stem and of each stage; a stage halves the grid. `gain` scales what goes into every tanh."""

    def __init__(self, in_channels=6, channels=(6, 8, 10), gain=1.0):
        super().__init__()
        self.gain = gain
        self.stem = nn.Linear(in_channels, channels[0])
        self.position = nn.Linear(3, channels[0])
        self.mask_token = nn.Parameter(torch.zeros(1, channels[0]))
        self.stages = nn.ModuleList(nn.Linear(a, b) for a, b in zip(channels[:-1], channels[1:], strict=True))

    def forward(self, point):
        feat = self.stem(point.feat)
        if "mask" in point.keys():
            feat = torch.where(point.mask[:, None], self.mask_token, feat)
        point.feat = torch.tanh(self.gain * (feat + self.position(point.coord)))
        point.grid_coord = (point.coord / point.grid_size).floor().long()  # no view depends on another
        for stage in self.stages:
            point = self.pool(point, stage)
        return point

    def pool(self, point, stage):
        cell = torch.cat([point.batch[:, None], point.grid_coord // 2], dim=1)
        cell, inverse, count = cell.unique(dim=0, return_inverse=True, return_counts=True)

        def mean(value):
            total = value.new_zeros(len(cell), value.shape[1]).index_add(0, inverse, value)
            return total / count[:, None]

        return type(point)(
            feat=torch.tanh(self.gain * stage(mean(point.feat))),
            coord=mean(point.coord),
            origin_coord=mean(point.origin_coord),
            grid_coord=cell[:, 1:],
            batch=cell[:, 0],
            offset=cell[:, 0].bincount().cumsum(0),
            grid_size=point.grid_size * 2,
            pooling_parent=point,
            pooling_inverse=inverse,
        )

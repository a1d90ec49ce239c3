"""Point Transformer V3, the variant of Sonata (Wu et al., CVPR 2025): linear stem, grid pooling, only LayerNorm."""

from functools import partial

import torch
from torch import nn

from pointins_ext.embedded.modules import PointModule, PointSequential
from pointins_ext.embedded.point_transformer_v3 import Block, PointTransformerV3, Unpooling
from pointins_ext.embedded.registry import MODELS
from pointins_ext.embedded.structure import Point, batch2offset
from pointins_ext.errors import UserError
from pointins_ext.ops.subm_conv import SubMConv3d
from pointins_ext.ops.voxels import sorted_runs, voxel_key

AVERAGED = ("coord", "origin_coord", "color")
CARRIED = ("condition", "context", "name", "split", "order")


class Embedding(PointModule):
    """Linear stem; points where `point.mask` (N,) is true get the learned mask token instead."""

    def __init__(self, in_channels, embed_channels, mask_token):
        super().__init__()
        self.stem = PointSequential(
            linear=nn.Linear(in_channels, embed_channels), norm=nn.LayerNorm(embed_channels), act=nn.GELU()
        )
        self.mask_token = nn.Parameter(torch.zeros(1, embed_channels)) if mask_token else None

    def forward(self, point):
        point = self.stem(point)
        if "mask" in point:
            if self.mask_token is None:
                raise UserError("the batch has a mask, but the backbone was built with mask_token=False")
            point.feat = torch.where(point.mask[:, None], self.mask_token.to(point.feat.dtype), point.feat)
        return point


class GridPooling(PointModule):
    """One voxel for each cube of `stride` cells: maximum of projected features, mean of coordinates and colors.

    The result keeps pooling_parent (the finer Point), pooling_inverse (N,) voxel of each finer point, and idx_ptr
    (M+1,) bounds of each voxel's points when the finer points are sorted by voxel.
    """

    serialized = True  # whether the coarse voxels are sorted along the curves

    def __init__(self, in_channels, out_channels, stride=2, norm_layer=nn.LayerNorm):
        super().__init__()
        self.stride = stride
        self.proj = nn.Linear(in_channels, out_channels)
        self.norm = PointSequential(norm_layer(out_channels))
        self.act = PointSequential(nn.GELU())

    def forward(self, point):
        grid_coord = torch.div(point.grid_coord.long(), self.stride, rounding_mode="floor")
        order, idx_ptr, cluster = sorted_runs(voxel_key(grid_coord, point.batch)[0])
        head = order[idx_ptr[:-1]]
        feat = self.proj(point.feat).index_select(0, order)
        pooled = Point(
            feat=torch.segment_reduce(feat, "max", offsets=idx_ptr),
            grid_coord=grid_coord[head],
            grid_extent=-(-point.grid_extent // self.stride),
            batch=point.batch[head],
            offset=batch2offset(point.batch[head], len(point.offset)),
            pooling_inverse=cluster,
            pooling_parent=point,
            idx_ptr=idx_ptr,
            **{key: point[key] for key in CARRIED if key in point},
        )
        for key in AVERAGED:
            if key in point:
                pooled[key] = torch.segment_reduce(point[key][order], "mean", offsets=idx_ptr)
        if "grid_size" in point:
            pooled["grid_size"] = point.grid_size * self.stride
        pooled = self.act(self.norm(pooled))
        if self.serialized:
            pooled.serialization(order=point.order, shuffle_orders=True)
        pooled.sparsify()
        return pooled


@MODELS.register_module("PT-v3m2")
class PointTransformerV3Sonata(PointTransformerV3):
    """Sonata's backbone: arguments, parameter names and numbers of Pointcept's PT-v3m2.

    Beyond PointTransformerV3: origin_coord, color and mask (N,) bool may come with the input; every pooled Point
    carries coord, origin_coord, color and grid_size. `freeze_encoder` trains the decoder alone.
    """

    def __init__(self, layer_scale=None, traceable=False, mask_token=False, freeze_encoder=False, **shared):
        super().__init__(
            embedding=partial(Embedding, mask_token=mask_token),
            pooling=GridPooling,
            unpooling=partial(Unpooling, norm_layer=nn.LayerNorm, traceable=traceable),
            block=partial(Block, layer_scale=layer_scale),
            **shared,
        )
        if freeze_encoder:
            self.embedding.requires_grad_(False)
            self.enc.requires_grad_(False)
        self.apply(init_weights)


def init_weights(module):
    """Truncated normal weights (std 0.02) and zero biases for linear layers and convolutions."""
    if isinstance(module, nn.Linear | SubMConv3d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

"""Point Transformer V3 as published (Wu et al., CVPR 2024): convolution stem, pooling along the curve, BatchNorm."""

from functools import partial

import torch
from torch import nn

from pointins_ext.embedded.modules import PointModule, PointSequential
from pointins_ext.embedded.point_transformer_v3 import Block, PointTransformerV3, Unpooling
from pointins_ext.embedded.registry import MODELS, MODULES
from pointins_ext.embedded.structure import Point, batch2offset
from pointins_ext.errors import UserError, UserKeyError
from pointins_ext.ops.batch_norm import BatchNorm1d
from pointins_ext.ops.subm_conv import SubMConv3d
from pointins_ext.ops.voxels import sorted_runs


@MODULES.register_module("PDNorm")
class PDNorm(PointModule):
    """Prompt-driven normalization (PPT, Wu et al., CVPR 2024): a norm for each data set, chosen by `point.condition`.

    `adaptive`: scale and shift also come from `point.context` (1,context_channels). KeyError for an unknown condition.
    """

    def __init__(self, num_features, norm_layer, context_channels=256, conditions=(), decouple=True, adaptive=False):
        super().__init__()
        self.conditions = list(conditions)
        self.decouple = decouple
        self.adaptive = adaptive
        if decouple:
            self.norm = nn.ModuleList(norm_layer(num_features) for _ in conditions)
        else:
            self.norm = norm_layer(num_features)
        if adaptive:
            self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(context_channels, 2 * num_features))

    def forward(self, point):
        norm = self.norm[self.index(point)] if self.decouple else self.norm
        point.feat = norm(point.feat)
        if self.adaptive:
            shift, scale = self.modulation(point.context).chunk(2, dim=1)
            point.feat = point.feat * (1 + scale) + shift
        return point

    def index(self, point):
        condition = point.get("condition")
        condition = condition if isinstance(condition, str | None) else condition[0]
        if condition not in self.conditions:
            raise UserKeyError(
                f"batch condition is {condition!r}, the backbone's pdnorm_conditions are {self.conditions}"
            )
        return self.conditions.index(condition)


class Embedding(PointModule):
    """5x5x5 convolution stem."""

    def __init__(self, in_channels, embed_channels, norm_layer):
        super().__init__()
        conv = SubMConv3d(in_channels, embed_channels, 5, bias=False)
        self.stem = PointSequential(conv=conv, norm=norm_layer(embed_channels), act=nn.GELU())

    def forward(self, point):
        return self.stem(point)


class SerializedPooling(PointModule):
    """One voxel for each cube of `stride` cells, read off the curve code: maximum of projected features, mean of coord.

    `stride` must be a power of two (ValueError). The coarse codes are the fine ones without their last bits, so curves
    are not encoded again.
    """

    def __init__(self, in_channels, out_channels, norm_layer, stride=2):
        super().__init__()
        if stride < 1 or stride & (stride - 1):
            raise UserError(f"stride {stride} is not a power of two; PT-v3m1 pools along the curve, PT-v3m2 takes any")
        self.depth = stride.bit_length() - 1
        self.proj = nn.Linear(in_channels, out_channels)
        self.norm = PointSequential(norm_layer(out_channels))
        self.act = PointSequential(nn.GELU())

    def forward(self, point):
        depth = self.depth if self.depth <= point.serialized_depth else 0
        code = point.serialized_code >> depth * 3
        order, idx_ptr, cluster = sorted_runs(code[0])
        head = order[idx_ptr[:-1]]
        feat = self.proj(point.feat).index_select(0, order)
        pooled = Point(
            feat=torch.segment_reduce(feat, "max", offsets=idx_ptr),
            coord=torch.segment_reduce(point.coord[order], "mean", offsets=idx_ptr),
            grid_coord=point.grid_coord[head] >> depth,
            serialized_depth=point.serialized_depth - depth,
            batch=point.batch[head],
            offset=batch2offset(point.batch[head], len(point.offset)),
            pooling_inverse=cluster,
            pooling_parent=point,
            **{key: point[key] for key in ("condition", "context") if key in point},
        )
        pooled.set_codes(code[:, head], shuffle_orders=True)
        pooled = self.act(self.norm(pooled))
        pooled.sparsify()
        return pooled


@MODELS.register_module("PT-v3m1")
class PointTransformerV3Base(PointTransformerV3):
    """PTv3: arguments, parameter names and numbers of Pointcept's PT-v3m1; `pdnorm_*` as in PPT pretraining."""

    def __init__(
        self,
        pdnorm_bn=False,
        pdnorm_ln=False,
        pdnorm_decouple=True,
        pdnorm_adaptive=False,
        pdnorm_affine=True,
        pdnorm_conditions=("ScanNet", "S3DIS", "Structured3D"),
        **shared,
    ):
        prompt = partial(PDNorm, conditions=pdnorm_conditions, decouple=pdnorm_decouple, adaptive=pdnorm_adaptive)
        batch_norm = partial(BatchNorm1d, eps=1e-3, momentum=0.01)
        if pdnorm_bn:
            batch_norm = partial(prompt, norm_layer=partial(batch_norm, affine=pdnorm_affine))
        layer_norm = nn.LayerNorm
        if pdnorm_ln:
            layer_norm = partial(prompt, norm_layer=partial(layer_norm, elementwise_affine=pdnorm_affine))
        super().__init__(
            embedding=partial(Embedding, norm_layer=batch_norm),
            pooling=partial(SerializedPooling, norm_layer=batch_norm),
            unpooling=partial(Unpooling, norm_layer=batch_norm, cpe_on_skip=True),
            block=partial(Block, norm_layer=layer_norm),
            **shared,
        )

"""What the Point Transformer V3 variants share (Wu et al., CVPR 2024): block, unpooling, stages."""

from functools import partial

import torch
from torch import nn

from pointins_ext.embedded.modules import PointModule, PointSequential
from pointins_ext.embedded.serialized_attention import SerializedAttention
from pointins_ext.embedded.structure import Point
from pointins_ext.errors import UserError, UserKeyError
from pointins_ext.ops.subm_conv import SubMConv3d

SIZE = ("channels", "num_head", "patch_size")  # of a block, what every variant has


class LayerScale(nn.Module):
    """Learned gain for each channel."""

    def __init__(self, dim, init_values):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), float(init_values)))

    def forward(self, x):
        return x * self.gamma


class DropPath(nn.Module):
    """Stochastic depth for each row; survivors are scaled up by 1 / (1 - drop_prob)."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        if not self.training:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty(len(x), 1).bernoulli_(keep).div_(keep)


class MLP(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, channels, hidden_channels, drop):
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden_channels)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_channels, channels)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class ResidualBlock(PointModule):
    """Layers with a norm, before them or after, stochastic depth and a skip connection; a subclass has both."""

    pre_norm: bool
    drop_path: PointSequential

    def residual(self, point, norm, *layers):
        shortcut = point.feat
        if self.pre_norm:
            point = norm(point)
        for layer in layers:
            point = layer(point)
        point = self.drop_path(point)
        point.feat = shortcut + point.feat
        return point if self.pre_norm else norm(point)


class Block(ResidualBlock):
    """Conditional position encoding by a 3x3x3 convolution, attention, MLP, each with a skip connection."""

    def __init__(
        self,
        channels,
        num_heads,
        patch_size,
        order_index=0,
        mlp_ratio=4.0,
        drop_path=0.0,
        layer_scale=None,
        norm_layer=nn.LayerNorm,
        pre_norm=True,
        **attention,
    ):
        super().__init__()
        self.pre_norm = pre_norm
        scale = nn.Identity if layer_scale is None else partial(LayerScale, channels, layer_scale)
        conv, linear = SubMConv3d(channels, channels, 3), nn.Linear(channels, channels)
        self.cpe = PointSequential(conv, linear, norm_layer(channels))
        self.norm1 = PointSequential(norm_layer(channels))
        self.ls1 = PointSequential(scale())
        self.attn = SerializedAttention(channels, num_heads, patch_size, order_index, **attention)
        self.norm2 = PointSequential(norm_layer(channels))
        self.ls2 = PointSequential(scale())
        self.mlp = PointSequential(MLP(channels, int(channels * mlp_ratio), attention["proj_drop"]))
        self.drop_path = PointSequential(DropPath(drop_path) if drop_path > 0 else nn.Identity())

    def forward(self, point):
        shortcut = point.feat
        point.feat = point.pop("cpe_feat", shortcut)
        point = self.cpe(point)
        point.feat = shortcut + point.feat
        point = self.residual(point, self.norm1, self.attn, self.ls1)
        return self.residual(point, self.norm2, self.mlp, self.ls2)


class Unpooling(PointModule):
    """Back to the finer stage: its projected features plus the projected features of each point's voxel.

    `cpe_on_skip`: the next block's position encoding reads the finer stage's part alone, as released PT-v3m1 weights
    expect (there the convolution's input is not refreshed after the sum).
    """

    def __init__(self, in_channels, skip_channels, out_channels, norm_layer, traceable=False, cpe_on_skip=False):
        super().__init__()
        self.proj = PointSequential(nn.Linear(in_channels, out_channels), norm_layer(out_channels), nn.GELU())
        self.proj_skip = PointSequential(nn.Linear(skip_channels, out_channels), norm_layer(out_channels), nn.GELU())
        self.traceable = traceable
        self.cpe_on_skip = cpe_on_skip

    def forward(self, point):
        feat = point.feat
        parent = self.proj_skip(point.pop("pooling_parent"))
        if self.cpe_on_skip:
            parent["cpe_feat"] = parent.feat
        parent.feat = parent.feat + self.proj(point).feat.index_select(0, point.pooling_inverse)
        if self.traceable:
            point.feat = feat
            parent["unpooling_parent"] = point
        return parent


class PointTransformerV3(PointModule):
    """Stem, encoder stages and, unless `enc_mode`, decoder stages; keyword arguments as in Pointcept.

    Input: dict with feat (N,in_channels), coord (N,3), grid_coord (N,3) or grid_size, offset (B,) or batch (N,).
    Output: a Point, the coarsest stage with `enc_mode` (walk `pooling_parent` and `pooling_inverse` to the finer ones),
    else the input resolution. Per-stage sequences must match `stride`, else ValueError. `enable_flash` and `upcast_*`
    change nothing here: attention always is PyTorch's scaled_dot_product_attention, with fp32 accumulation.

    A variant passes constructors: `embedding(in_channels, channels)`, `pooling(in_channels, channels, stride=)`,
    `unpooling(in_channels, skip_channels, channels)`, `block(channels, num_heads, patch_size, ...)`; and in `enc_more`
    and `dec_more` what else its blocks take, name -> a value a stage.
    """

    serialized = True  # whether the points of the input are sorted along the curves

    def __init__(
        self,
        embedding,
        pooling,
        unpooling,
        block,
        in_channels=6,
        order=("z", "z-trans"),
        stride=(2, 2, 2, 2),
        enc_depths=(2, 2, 2, 6, 2),
        enc_channels=(32, 64, 128, 256, 512),
        enc_num_head=(2, 4, 8, 16, 32),
        enc_patch_size=(48, 48, 48, 48, 48),
        dec_depths=(2, 2, 2, 2),
        dec_channels=(64, 64, 128, 256),
        dec_num_head=(4, 4, 8, 16),
        dec_patch_size=(48, 48, 48, 48),
        mlp_ratio=4,
        qkv_bias=True,
        qk_scale=None,
        attn_drop=0.0,
        proj_drop=0.0,
        drop_path=0.3,
        pre_norm=True,
        shuffle_orders=True,
        enable_rpe=False,
        enable_flash=True,
        upcast_attention=False,
        upcast_softmax=False,
        enc_mode=False,
        enc_more=None,
        dec_more=None,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.order = [order] if isinstance(order, str) else list(order)
        self.shuffle_orders = shuffle_orders
        self.enc_mode = enc_mode
        block = partial(
            block,
            mlp_ratio=mlp_ratio,
            pre_norm=pre_norm,
            qkv_bias=qkv_bias,
            qk_scale=qk_scale,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            enable_rpe=enable_rpe,
        )
        enc = dict(depths=enc_depths, channels=enc_channels, num_head=enc_num_head, patch_size=enc_patch_size)
        dec = dict(depths=dec_depths, channels=dec_channels, num_head=dec_num_head, patch_size=dec_patch_size)
        enc, dec = enc | (enc_more or {}), dec | (dec_more or {})
        check_stages("enc", enc, len(stride) + 1)
        self.embedding = embedding(in_channels, enc_channels[0])
        self.enc = self.encoder(pooling, block, enc, stride, drop_path)
        if not enc_mode:
            check_stages("dec", dec, len(stride))
            self.dec = self.decoder(unpooling, block, enc, dec, drop_path)

    def encoder(self, pooling, block, enc, stride, drop_path):
        stages = PointSequential()
        rates = torch.linspace(0, drop_path, sum(enc["depths"]), device="cpu").tolist()
        for s, depth in enumerate(enc["depths"]):
            stage = PointSequential()
            if s > 0:
                stage.add(pooling(enc["channels"][s - 1], enc["channels"][s], stride=stride[s - 1]), name="down")
            self.add_blocks(stage, block, enc, s, [rates.pop(0) for _ in range(depth)])
            if len(stage):
                stages.add(stage, name=f"enc{s}")
        return stages

    def decoder(self, unpooling, block, enc, dec, drop_path):
        stages = PointSequential()
        rates = torch.linspace(0, drop_path, sum(dec["depths"]), device="cpu").tolist()
        channels = [*dec["channels"], enc["channels"][-1]]
        for s in reversed(range(len(dec["depths"]))):
            stage = PointSequential(up=unpooling(channels[s + 1], enc["channels"][s], channels[s]))
            self.add_blocks(stage, block, dec, s, [rates.pop() for _ in range(dec["depths"][s])])
            stages.add(stage, name=f"dec{s}")
        return stages

    def add_blocks(self, stage, block, sizes, s, drop_path):
        size = [sizes[name][s] for name in SIZE]
        more = {name: value[s] for name, value in sizes.items() if name not in (*SIZE, "depths")}
        for i, rate in enumerate(drop_path):
            stage.add(block(*size, order_index=i % len(self.order), drop_path=rate, **more), name=f"block{i}")

    def forward(self, data_dict):
        point = Point(data_dict)
        if not {"coord", "feat", "offset"} <= point.keys():
            raise UserKeyError(f"the backbone needs coord, feat and offset (or batch); the batch has {sorted(point)}")
        if point.feat.shape[1] != self.in_channels:
            raise UserError(
                f"feat has {point.feat.shape[1]} channels, the backbone expects in_channels={self.in_channels}; "
                "match Collect(feat_keys=...) in the data config"
            )
        point["order"] = self.order
        if self.serialized:
            point.serialization(order=self.order, shuffle_orders=self.shuffle_orders)
        point.sparsify()
        point = self.enc(self.embedding(point))
        return point if self.enc_mode else self.dec(point)


def check_stages(prefix, sizes, expected):
    """ValueError unless every sequence has `expected` entries, one for each stage."""
    for name, value in sizes.items():
        if len(value) != expected:
            raise UserError(f"{prefix}_{name} has {len(value)} entries, stride asks for {expected}: {tuple(value)}")

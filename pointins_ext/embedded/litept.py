"""LitePT (Yue et al., 2025): convolutions where voxels are many, attention with rotary positions where they are few."""

from functools import partial

import torch
from torch import nn

from pointins_ext.embedded.modules import PointSequential
from pointins_ext.embedded.point_transformer_v3 import MLP, DropPath, PointTransformerV3, ResidualBlock, Unpooling
from pointins_ext.embedded.point_transformer_v3m1_base import Embedding
from pointins_ext.embedded.point_transformer_v3m2_sonata import GridPooling
from pointins_ext.embedded.registry import MODELS
from pointins_ext.embedded.serialized_attention import SerializedAttention
from pointins_ext.errors import UserError
from pointins_ext.ops.batch_norm import BatchNorm1d
from pointins_ext.ops.subm_conv import SubMConv3d


def rotate(feat, grid_coord, base):
    """Rotary position embedding of voxels: a third of the channels turns with each axis.

    feat (P,heads,W,C), grid_coord (P,W,3) -> (P,heads,W,C); C a multiple of 6. Channel i of a third turns with channel
    i + C/6, by base^(-6 i / C) radians a voxel.
    """
    half = feat.shape[-1] // 6
    speed = 1.0 / base ** (torch.arange(half, device=feat.device).float() / half)
    angle = (grid_coord[..., None].float() * speed)[:, None]  # (P,1,W,3,half)
    cos, sin = angle.cos(), angle.sin()
    first, second = feat.unflatten(-1, (3, 2, half)).unbind(-2)
    return torch.stack([first * cos - second * sin, second * cos + first * sin], -2).flatten(-3)


class RotaryAttention(SerializedAttention):
    """Attention inside patches, in half precision as flash attention has it, with rotary positions."""

    def __init__(self, *sizes, rope_freq, **options):
        super().__init__(*sizes, **options)
        self.rope_freq = rope_freq
        if self.qkv.in_features // self.num_heads % 6:
            raise UserError(
                f"LitePT-v1: {self.qkv.in_features} channels in {self.num_heads} heads; rotary positions need heads of "
                "a multiple of 6 channels"
            )

    def attend(self, q, k, v, mask, grid_coord):
        place = grid_coord()
        q, k = (rotate(x.half().float(), place, self.rope_freq).half() for x in (q, k))
        # kernels of a GPU accumulate halves in single precision, those of a CPU do not
        taken = torch.float32 if q.device.type == "cpu" else torch.float16
        found = super().attend(q.to(taken), k.to(taken), v.half().to(taken), mask, grid_coord)
        return found.half().to(v.dtype)


class Block(ResidualBlock):
    """A 3x3x3 convolution, or a norm alone; then, with `attn`, attention and MLP, each with a skip connection."""

    def __init__(
        self,
        channels,
        num_heads,
        patch_size,
        conv,
        attn,
        order_index=0,
        mlp_ratio=4.0,
        drop_path=0.0,
        pre_norm=True,
        **attention,
    ):
        super().__init__()
        self.pre_norm = pre_norm
        norm = partial(nn.LayerNorm, channels)
        if conv:
            self.conv = PointSequential(SubMConv3d(channels, channels, 3), nn.Linear(channels, channels), norm())
        else:
            self.norm0 = PointSequential(norm())
        self.attn = None
        if attn:
            self.norm1 = PointSequential(norm())
            self.attn = RotaryAttention(channels, num_heads, patch_size, order_index, **attention)
            self.norm2 = PointSequential(norm())
            self.mlp = PointSequential(MLP(channels, int(channels * mlp_ratio), attention["proj_drop"]))
            self.drop_path = PointSequential(DropPath(drop_path) if drop_path > 0 else nn.Identity())

    def forward(self, point):
        if hasattr(self, "conv"):
            shortcut = point.feat
            point = self.conv(point)
            point.feat = shortcut + point.feat
        else:
            point = self.norm0(point)
        if self.attn is None:
            return point
        return self.residual(self.residual(point, self.norm1, self.attn), self.norm2, self.mlp)


@MODELS.register_module("LitePT-v1")
class LitePT(PointTransformerV3):
    """LitePT: arguments, parameter names and numbers of Pointcept's LitePT-v1. It has no mask token.

    Beyond PointTransformerV3: a stage has convolutions (`*_conv`), attention (`*_attn`, of `*_rope_freq`) or both, and
    voxels are sorted along the curves where the encoder attends, so that a decoder may attend there alone (ValueError).
    """

    def __init__(
        self,
        in_channels=4,
        order=("z", "z-trans", "hilbert", "hilbert-trans"),
        enc_channels=(36, 72, 144, 252, 504),
        enc_num_head=(2, 4, 8, 14, 28),
        enc_patch_size=(1024, 1024, 1024, 1024, 1024),
        enc_conv=(True, True, True, False, False),
        enc_attn=(False, False, False, True, True),
        enc_rope_freq=(100.0, 100.0, 100.0, 100.0, 100.0),
        dec_depths=(0, 0, 0, 0),
        dec_channels=(72, 72, 144, 252),
        dec_num_head=(4, 4, 8, 14),
        dec_patch_size=(1024, 1024, 1024, 1024),
        dec_conv=(False, False, False, False),
        dec_attn=(False, False, False, False),
        dec_rope_freq=(100.0, 100.0, 100.0, 100.0),
        **shared,
    ):
        norm = partial(BatchNorm1d, eps=1e-3, momentum=0.01)
        super().__init__(
            embedding=partial(Embedding, norm_layer=norm),
            pooling=partial(GridPooling, norm_layer=norm),
            unpooling=partial(Unpooling, norm_layer=norm),
            block=Block,
            in_channels=in_channels,
            order=order,
            enc_channels=enc_channels,
            enc_num_head=enc_num_head,
            enc_patch_size=enc_patch_size,
            enc_more=dict(conv=enc_conv, attn=enc_attn, rope_freq=enc_rope_freq),
            dec_depths=dec_depths,
            dec_channels=dec_channels,
            dec_num_head=dec_num_head,
            dec_patch_size=dec_patch_size,
            dec_more=dict(conv=dec_conv, attn=dec_attn, rope_freq=dec_rope_freq),
            **shared,
        )
        self.serialized = enc_attn[0]
        for stage in range(1, len(enc_attn)):
            self.enc.get_submodule(f"enc{stage}").down.serialized = enc_attn[stage]
        if not self.enc_mode and any(dec and not enc for dec, enc in zip(dec_attn, enc_attn, strict=False)):
            raise UserError(f"LitePT-v1: dec_attn is {dec_attn}, but enc_attn {enc_attn} sorts no voxels there")

"""Attention inside patches of points that follow each other along a space-filling curve (PTv3, section 4.2)."""

import torch
import torch.nn.functional as F
from torch import nn

from pointins_ext.embedded.modules import PointModule
from pointins_ext.embedded.structure import offset2bincount
from pointins_ext.errors import UserError


@torch.no_grad()
def patch_table(offset, patch_size):
    """Cut serialized clouds into attention patches.

    offset (B,) -> slots (P,W) rank in the serialized cloud that each slot of each patch reads, valid (P,W) or None
    when every slot is real, home (N,) flat slot where each rank's output is read. The last patch of a long cloud is
    filled up with the end of the patch before it; a cloud shorter than `patch_size` is one short patch.
    """
    count = offset2bincount(offset)
    sizes = [size for size in count.tolist() if size]  # the only question to a GPU
    width = min(patch_size, max(sizes, default=0))
    patches = (count + patch_size - 1) // patch_size
    first_patch, start = patches.cumsum(0) - patches, offset - count
    number = sum(-(-size // patch_size) for size in sizes)
    cloud = torch.arange(len(count), device=offset.device).repeat_interleave(patches, output_size=number)
    local = (torch.arange(number, device=offset.device) - first_patch[cloud]) * patch_size
    local = local[:, None] + torch.arange(width, device=offset.device)
    inside = local < count[cloud, None]
    slots = start[cloud, None] + torch.where(inside, local, (local - patch_size).clamp(min=0))
    # a slot is empty in a cloud alone that is shorter than the patches are wide
    valid = None if min(sizes, default=0) >= width else inside | (count > patch_size)[cloud, None]
    total = sum(sizes)
    shift = (first_patch * width - start).repeat_interleave(count, output_size=total)
    return slots, valid, torch.arange(total, device=offset.device) + shift


class RPE(nn.Module):
    """Learned attention bias for each head from the difference of two points' grid coordinates, clamped."""

    def __init__(self, patch_size, num_heads):
        super().__init__()
        self.bound = int((4 * patch_size) ** (1 / 3) * 2)
        self.rpe_table = nn.Parameter(torch.empty(3 * (2 * self.bound + 1), num_heads))
        nn.init.trunc_normal_(self.rpe_table, std=0.02)

    def forward(self, grid_coord):
        """grid_coord (P,W,3) of the points in each patch -> (P,heads,W,W)"""
        difference = (grid_coord[:, :, None] - grid_coord[:, None]).clamp(-self.bound, self.bound) + self.bound
        axis = torch.arange(3, device=grid_coord.device) * (2 * self.bound + 1)
        return self.rpe_table[difference + axis].sum(3).permute(0, 3, 1, 2)


class SerializedAttention(PointModule):
    """Multi-head attention inside patches; a short cloud is a patch of its own and does not shrink those of others."""

    def __init__(
        self, channels, num_heads, patch_size, order_index, qkv_bias, qk_scale, attn_drop, proj_drop, enable_rpe=False
    ):
        super().__init__()
        if channels % num_heads:
            raise UserError(f"{channels} channels do not divide into {num_heads} heads")
        self.num_heads = num_heads
        self.patch_size = patch_size
        self.scale = qk_scale
        self.attn_drop = attn_drop
        self.order_index = order_index
        self.qkv = nn.Linear(channels, channels * 3, bias=qkv_bias)
        self.proj = nn.Linear(channels, channels)
        self.proj_drop = nn.Dropout(proj_drop)
        self.rpe = RPE(patch_size, num_heads) if enable_rpe else None

    def forward(self, point):
        slots, valid, home = self.patches(point)
        gather = point.serialized_order[self.order_index][slots.flatten()]
        scatter = home[point.serialized_inverse[self.order_index]]
        qkv = self.qkv(point.feat).index_select(0, gather)
        head_dim = point.feat.shape[1] // self.num_heads
        q, k, v = qkv.view(*slots.shape, 3, self.num_heads, head_dim).permute(2, 0, 3, 1, 4)
        mask = None if valid is None else valid[:, None, None]
        feat = self.attend(q, k, v, mask, lambda: point.grid_coord[gather].view(*slots.shape, 3))
        feat = feat.transpose(1, 2).reshape(slots.numel(), point.feat.shape[1]).index_select(0, scatter)
        point.feat = self.proj_drop(self.proj(feat))
        return point

    def attend(self, q, k, v, mask, grid_coord):
        """Attention inside patches: q, k, v (P,heads,W,C), mask (P,1,1,W) or None; grid_coord() gives (P,W,3)."""
        if self.rpe is not None:
            bias = self.rpe(grid_coord()).to(q.dtype)
            mask = bias if mask is None else bias.masked_fill(~mask, float("-inf"))
        dropout = self.attn_drop if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=self.scale)

    def patches(self, point):
        key = f"patches_{self.patch_size}"
        if key not in point:
            point[key] = patch_table(point.offset, self.patch_size)
        return point[key]

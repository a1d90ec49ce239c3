import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.serialized_attention import SerializedAttention, patch_table
from pointins_ext.embedded.structure import Point

PATCH = 8
counts = st.lists(st.integers(0, 20), min_size=1, max_size=5)


def patches_by_hand(count):
    """Ranks that each patch of a cloud reads: full patches, the last filled from the one before; or one short patch."""
    patches = [list(range(i, min(i + PATCH, count))) for i in range(0, count, PATCH)]
    if count > PATCH:
        last, before = patches[-1], patches[-2]
        last.extend(before[len(last) :])
    return patches


def attention_by_hand(layer, point):
    """Patch by patch, for each cloud on its own."""
    qkv = layer.qkv(point.feat)
    out = torch.empty_like(point.feat)
    start = 0
    for end in point.offset.tolist():
        order = point.serialized_order[layer.order_index][start:end]
        for i, ranks in enumerate(patches_by_hand(end - start)):
            rows = order[ranks]
            q, k, v = qkv[rows].view(len(rows), 3, layer.num_heads, -1).permute(1, 2, 0, 3)
            weight = F.softmax(q @ k.transpose(1, 2) * q.shape[-1] ** -0.5, dim=-1)
            own = min(PATCH, end - start - i * PATCH)
            out[rows[:own]] = (weight @ v).transpose(0, 1).flatten(1)[:own]
        start = end
    return layer.proj(out)


def cloud(counts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    total = sum(counts)
    point = Point(
        coord=torch.rand(total, 3, generator=generator),
        grid_coord=torch.randint(0, 16, (total, 3), generator=generator),
        feat=torch.randn(total, 12, generator=generator),
        offset=torch.tensor(counts).cumsum(0),
    )
    point.serialization(order=("z", "hilbert"))
    return point


@settings(deadline=None)
@given(counts)
def test_patches(counts):
    slots, valid, home = patch_table(torch.tensor(counts).cumsum(0), PATCH)
    expected, start = [], 0
    for count in counts:
        expected += [[start + rank for rank in patch] for patch in patches_by_hand(count)]
        start += count
    valid = torch.ones_like(slots, dtype=torch.bool) if valid is None else valid
    assert [row[keep].tolist() for row, keep in zip(slots, valid, strict=True)] == expected
    assert torch.equal(slots.flatten()[home], torch.arange(start))
    assert len(set(home.tolist())) == start


@settings(deadline=None, max_examples=30)
@given(counts, st.integers(0, 1))
def test_equals_attention_patch_by_patch(counts, order_index):
    torch.manual_seed(0)
    layer = SerializedAttention(12, 3, PATCH, order_index, qkv_bias=True, qk_scale=None, attn_drop=0.0, proj_drop=0.0)
    expected = attention_by_hand(layer, cloud(counts))
    torch.testing.assert_close(layer(cloud(counts)).feat, expected, atol=1e-5, rtol=1e-4)


def test_a_small_cloud_does_not_change_its_neighbors():
    torch.manual_seed(0)
    layer = SerializedAttention(12, 3, PATCH, 0, qkv_bias=True, qk_scale=None, attn_drop=0.0, proj_drop=0.0)
    both, alone = cloud((30, 3)), cloud((30, 3))
    for key in ("coord", "grid_coord", "feat"):
        alone[key] = alone[key][:30]
    alone = Point(coord=alone.coord, grid_coord=alone.grid_coord, feat=alone.feat, offset=torch.tensor([30]))
    alone.serialization(order=("z", "hilbert"), depth=both.serialized_depth)
    torch.testing.assert_close(layer(both).feat[:30], layer(alone).feat)


def test_relative_position_bias_sees_only_differences():
    """Moving a cloud leaves its output, and the bias does act."""
    torch.manual_seed(0)
    layer = SerializedAttention(
        12, 3, PATCH, 0, qkv_bias=True, qk_scale=None, attn_drop=0.0, proj_drop=0.0, enable_rpe=True
    )
    layer.rpe.rpe_table.data.normal_()
    point, moved, unbiased = cloud((20, 5)), cloud((20, 5)), cloud((20, 5))
    moved.grid_coord += 100
    out = layer(point).feat
    torch.testing.assert_close(layer(moved).feat, out)
    layer.rpe = None
    assert not torch.allclose(layer(unbiased).feat, out, atol=1e-3)

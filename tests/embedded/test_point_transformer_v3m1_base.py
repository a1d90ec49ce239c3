"""What only PT-v3m1 has: pooling along the codes of a curve, and a norm for each data set."""

import pytest
import torch
from torch import nn

from pointins_ext.embedded.point_transformer_v3m1_base import PDNorm, SerializedPooling
from pointins_ext.embedded.structure import Point


def cube():
    """All voxels of a cube of four, shuffled."""
    grid = torch.cartesian_prod(*[torch.arange(4)] * 3)[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    point = Point(coord=grid.float(), grid_coord=grid, feat=torch.randn(64, 3), offset=torch.tensor([64]))
    point.serialization(order=("z", "hilbert"), shuffle_orders=False)
    return point


def test_pooling_gives_the_maximum_and_the_middle_of_every_block():
    torch.manual_seed(0)
    pool, point = SerializedPooling(3, 5, lambda channels: nn.Identity()), cube()
    projected = pool.proj(point.feat)
    pooled = pool(point)
    assert len(pooled.grid_coord.unique(dim=0)) == len(pooled.feat) == 8
    for i in range(8):
        member = (point.grid_coord // 2 == pooled.grid_coord[i]).all(1)
        torch.testing.assert_close(pooled.coord[i], point.coord[member].mean(0))
        torch.testing.assert_close(pooled.feat[i], nn.functional.gelu(projected[member].amax(0)))
        assert torch.equal(pooled.pooling_inverse == i, member)


def test_codes_of_the_blocks_are_those_of_their_own_grid():
    point = SerializedPooling(3, 5, lambda channels: nn.Identity())(cube())
    again = Point(coord=point.coord, grid_coord=point.grid_coord, feat=point.feat, offset=point.offset)
    again.serialization(order=("z", "hilbert"), depth=point.serialized_depth, shuffle_orders=False)
    rows = {tuple(code.tolist()) for code in again.serialized_code}
    assert {tuple(code.tolist()) for code in point.serialized_code} == rows and len(rows) == 2


@pytest.mark.parametrize("stride", [0, 3])
def test_a_stride_that_codes_cannot_give_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride {stride} is not a power of two; .* PT-v3m2 takes any"):
        SerializedPooling(3, 5, nn.LayerNorm, stride)


def scaled(conditions=("ScanNet", "S3DIS"), **options):
    """A norm that multiplies by the number of its condition, from 1 on."""
    norm = PDNorm(4, lambda channels: nn.Linear(channels, channels, bias=False), 6, conditions, **options)
    for number, linear in enumerate(norm.norm):
        linear.weight.data = (number + 1.0) * torch.eye(4)
    return norm


@pytest.mark.parametrize("condition", ["S3DIS", ["S3DIS", "S3DIS"]])
def test_the_norm_is_that_of_the_batchs_condition(condition):
    feat = torch.randn(5, 4)
    assert torch.equal(scaled()(Point(feat=feat, condition=condition)).feat, 2 * feat)


def test_the_context_scales_and_shifts():
    norm, feat, context = scaled(adaptive=True), torch.randn(5, 4), torch.randn(1, 6)
    shift, scale = norm.modulation(context).chunk(2, dim=1)
    answer = norm(Point(feat=feat, condition="ScanNet", context=context)).feat
    torch.testing.assert_close(answer, feat * (1 + scale) + shift)


@pytest.mark.parametrize("batch", [{}, dict(condition="Waymo")])
def test_an_unknown_condition_is_named_with_the_known_ones(batch):
    with pytest.raises(KeyError, match=r"batch condition is .*(None|Waymo).*\['ScanNet', 'S3DIS'\]"):
        scaled()(Point(feat=torch.randn(5, 4), **batch))

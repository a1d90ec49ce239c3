import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.structure import Point, batch2offset, offset2batch, offset2bincount


def cloud(counts=(20, 0, 7), seed=0):
    generator = torch.Generator().manual_seed(seed)
    coord = torch.rand(sum(counts), 3, generator=generator) * 2 - 1
    return Point(coord=coord, grid_size=0.1, offset=torch.tensor(counts).cumsum(0))


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_offset_and_batch_are_inverse(counts):
    offset = torch.tensor(counts).cumsum(0)
    batch = offset2batch(offset)
    assert offset2bincount(offset).tolist() == counts
    assert batch.tolist() == [i for i, count in enumerate(counts) for _ in range(count)]
    assert torch.equal(batch2offset(batch, len(counts)), offset)


def test_offset_and_batch_complete_each_other():
    offset, batch = torch.tensor([2, 5]), torch.tensor([0, 0, 1, 1, 1])
    assert torch.equal(Point(offset=offset).batch, batch)
    assert torch.equal(Point(batch=batch).offset, offset)


def test_serialization_sorts_each_cloud_along_each_curve():
    point = cloud()
    point.serialization(order=("z", "hilbert"))
    assert point.serialized_code.shape == (2, 27)
    for code, order, inverse in zip(
        point.serialized_code, point.serialized_order, point.serialized_inverse, strict=True
    ):
        assert (code[order].diff() >= 0).all()
        assert torch.equal(order[inverse], torch.arange(27))
        assert (point.batch[order].diff() >= 0).all()


def test_grid_coord_starts_at_the_corner_of_the_whole_batch():
    point = cloud()
    point.sparsify()
    expected = ((point.coord - point.coord.amin(0)) / 0.1).int()
    assert torch.equal(point.grid_coord, expected)
    assert point.grid_coord.min() == 0


def test_given_grid_coord_is_kept():
    point = cloud()
    point["grid_coord"] = given = torch.randint(3, 9, (27, 3))
    point.serialization()
    point.sparsify()
    assert point.grid_coord is given


def test_shuffle_follows_the_global_seed():
    codes = []
    for seed in (0, 0, 1, 2, 3, 4):
        point = cloud()
        torch.manual_seed(seed)
        point.serialization(order=("z", "z-trans", "hilbert", "hilbert-trans"), shuffle_orders=True)
        codes.append(point.serialized_code)
    assert torch.equal(codes[0], codes[1])
    assert any(not torch.equal(codes[0], code) for code in codes[2:])
    assert all(torch.equal(codes[0].sort(0).values, code.sort(0).values) for code in codes)


def test_kernel_map_is_computed_once():
    point = cloud()
    point.sparsify()
    assert point.kernel_map(3) is point.kernel_map(3)
    assert point.kernel_map(5).kernel_size == 5
    assert Point(point).kernel_map(3) is point.kernel_map(3)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(grid_coord=torch.full((27, 3), -1)), ValueError, "negative"),
        (dict(coord=torch.full((27, 3), float("nan"))), ValueError, "NaN"),
        (dict(grid_coord=torch.full((27, 3), 70000)), ValueError, "coarser grid_size"),
        (dict(grid_size=torch.tensor([0.1, 0.1, 0.1])), ValueError, "3 values"),
    ],
)
def test_bad_clouds_are_refused(change, error, message):
    point = cloud()
    point.update(change)
    with pytest.raises(error, match=message):
        point.serialization()


def test_missing_grid_is_named():
    with pytest.raises(KeyError, match="grid_size"):
        Point(coord=torch.rand(3, 3), offset=torch.tensor([3])).serialization()

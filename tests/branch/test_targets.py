import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    OffsetField,
    SpatialClusteringRegularization,
    StageFeatures,
    match,
    offset_targets,
)


def field(num_points=60, seed=0, views=2):
    generator = torch.Generator().manual_seed(seed)
    view = torch.arange(num_points) % views
    return OffsetField(
        coord=torch.rand(num_points, 3, generator=generator),
        features=StageFeatures(torch.randn(num_points, 6, generator=generator)),
        offset=0.1 * torch.randn(num_points, 3, generator=generator),
        view=view,
        valid=torch.ones(num_points, dtype=torch.bool),
        scene=view // 2,
        voxel=torch.full((8,), 0.08),
    )


class Recorder:
    """Notes the order of calls and moves every offset."""

    def __init__(self, calls, name):
        self.calls, self.name = calls, name

    def refine(self, field):
        self.calls.append(self.name)
        return field.replace(offset=field.offset + 1)


def test_without_regularizers_the_offsets_are_the_targets():
    start = field()
    target = offset_targets(start, [])
    assert torch.equal(target.offset, start.offset) and target.valid.all() and target.instances is None
    assert torch.equal(target.center, start.coord + start.offset)


def test_regularizers_run_in_order_and_the_start_is_kept():
    calls, start = [], field()
    before = start.offset.clone()
    target = offset_targets(start, [Recorder(calls, "a"), Recorder(calls, "b")])
    assert calls == ["a", "b"] and torch.equal(start.offset, before)
    torch.testing.assert_close(target.offset, before + 2)


def test_odr_then_scr_ends_at_centroids_and_scr_then_odr_at_prior_lengths():
    prior = MagnitudePrior.load("indoor")
    odr = OffsetDistributionRegularization(prior)
    scr = SpatialClusteringRegularization(num_clusters=2, radius=0.3, feature="concat")
    ends_in_scr = offset_targets(field(), [odr, scr])
    torch.testing.assert_close(ends_in_scr.center, ends_in_scr.instances.center)
    ends_in_odr = offset_targets(field(), [scr, odr])
    level = (torch.arange(30) + 0.5) / 30
    for view in (0, 1):
        length = ends_in_odr.offset[ends_in_odr.view == view].norm(dim=1).sort().values
        torch.testing.assert_close(length.mean(), prior.quantile(level).mean(), rtol=0.02, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_offsets_become_invalid_zeros(bad):
    start = field()
    start.offset[5, 1] = bad
    target = offset_targets(start, [])
    assert torch.isfinite(target.offset).all() and target.valid.tolist() == [i != 5 for i in range(60)]


def test_no_gradient_reaches_the_targets():
    start = field()
    start = start.replace(offset=start.offset.requires_grad_())
    assert not offset_targets(start, [Recorder([], "a")]).offset.requires_grad


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), radius=st.floats(0.02, 0.5))
def test_match_is_the_nearest_of_the_same_group_within_the_radius(seed, radius):
    generator = torch.Generator().manual_seed(seed)
    query, support = (torch.rand(30, 3, generator=generator) for _ in range(2))
    query_group, support_group = (torch.randint(0, 3, (30,), generator=generator) for _ in range(2))
    distance = torch.cdist(query.double(), support.double(), compute_mode="donot_use_mm_for_euclid_dist")
    distance[query_group[:, None] != support_group] = float("inf")
    nearest, index = distance.min(1)
    expected = torch.where(nearest <= radius, index, -1)
    assert torch.equal(match(query, query_group, support, support_group, radius), expected)
    groups = torch.stack([query_group, torch.zeros_like(query_group), query_group])
    several = match(query, groups, support, support_group, radius)
    assert torch.equal(several[0], expected) and torch.equal(several[2], expected)
    assert torch.equal(several[1], match(query, groups[1], support, support_group, radius))


def test_match_with_nothing_to_find():
    point, group = torch.zeros(3, 3), torch.zeros(3, dtype=torch.long)
    assert match(point, group, point[:0], group[:0], 1.0).tolist() == [-1, -1, -1]
    assert match(point[:0], group[:0], point, group, 1.0).shape == (0,)
    assert match(point, group, point, group + 1, 1.0).tolist() == [-1, -1, -1]


def row(first, last, voxel=0.1):
    return torch.stack([voxel * torch.arange(first, last), torch.zeros(last - first), torch.zeros(last - first)], 1)


def test_border_is_where_the_other_view_of_the_scene_goes_on():
    # two views of a row of voxels overlap in 4..9; a third view shows another scene at the same place
    parts = [row(0, 10), row(4, 14), row(0, 5)]
    view = torch.repeat_interleave(torch.arange(3), torch.tensor([len(p) for p in parts]))
    coord = torch.cat(parts)
    valid = torch.ones_like(view, dtype=torch.bool)
    start = OffsetField(
        coord, StageFeatures(torch.ones(len(coord), 2)), 0 * coord, view, valid, view // 2, torch.full((3,), 0.105)
    )
    border = start.border()
    # view 0 ends at 9 where view 1 goes on at 11 (10 lies within one voxel of 9): the last voxel is at the border
    assert border[view == 0].nonzero().flatten().tolist() == [9]
    assert border[view == 1].nonzero().flatten().tolist() == [0]
    assert not border[view == 2].any()

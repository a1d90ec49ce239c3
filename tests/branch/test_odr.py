import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import OffsetDistributionRegularization, OffsetField, StageFeatures
from tests.fixtures.offsets import PRIOR, one_view, skewed
from tests.oracles.odr import odr as oracle


def uniform_directions(num_points, seed=0):
    offset = torch.randn(num_points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (offset / offset.norm(dim=1, keepdim=True)).float()


@pytest.mark.parametrize("direction", ["cartesian", "spherical", "keep"])
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("collapsed", [False, True])
def test_equals_the_slow_restatement(direction, strength, collapsed):
    offset = skewed(300, seed=1, collapsed=collapsed)
    result = OffsetDistributionRegularization(PRIOR, direction, strength)(offset, one_view(offset))
    expected = oracle(offset.double().numpy(), PRIOR.quantiles.double().numpy(), direction, strength)
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-5)


# the order of the lengths is kept, and their distribution is the prior's
@settings(max_examples=25, deadline=None)
@given(num_points=st.integers(2, 300), seed=st.integers(0, 2**16), direction=st.sampled_from(["cartesian", "keep"]))
def test_lengths_keep_their_order_and_follow_the_prior(num_points, seed, direction):
    offset = skewed(num_points, seed)
    length = OffsetDistributionRegularization(PRIOR, direction)(offset, one_view(offset)).norm(dim=1)
    assert (length[offset.norm(dim=1).argsort()].diff() >= -1e-6).all()

    level = (torch.arange(num_points) + 0.5) / num_points
    torch.testing.assert_close(length.sort().values, PRIOR.quantile(level), rtol=1e-5, atol=1e-6)
    below, upto = torch.arange(num_points) / num_points, torch.arange(1, num_points + 1) / num_points
    cdf = PRIOR.cdf(length.sort().values)
    assert torch.maximum((cdf - below).abs(), (cdf - upto).abs()).max() <= 1 / num_points + 1e-4  # KS distance


# uniform directions are a fixed point
def test_uniform_directions_are_a_fixed_point():
    offset = uniform_directions(20000) * 0.1
    component = torch.stack([2 * _level(c) - 1 for c in offset.unbind(1)], dim=1)
    assert component.norm(dim=1).std() < 0.01  # before the unit length is forced
    result = OffsetDistributionRegularization(PRIOR)(offset, one_view(offset))
    cosine = torch.nn.functional.cosine_similarity(offset, result)
    assert cosine.mean() > 0.9999 and cosine.min() > 0.99


def _level(value):
    return (value.argsort().argsort() + 0.5) / len(value)


def test_prior_shaped_field_of_uniform_directions_comes_back():
    level = (torch.randperm(5000, generator=torch.Generator().manual_seed(3)) + 0.5) / 5000
    offset = uniform_directions(5000) * PRIOR.quantile(level)[:, None]
    result = OffsetDistributionRegularization(PRIOR)(offset, one_view(offset))
    assert (result - offset).norm(dim=1).mean() < 0.02


@pytest.mark.parametrize("direction", ["cartesian", "spherical"])
def test_a_collapsed_direction_is_spread(direction):
    offset = skewed(2000, seed=5, collapsed=True)
    raw = torch.nn.functional.normalize(offset, dim=1).mean(0).norm()
    result = OffsetDistributionRegularization(PRIOR, direction)(offset, one_view(offset))
    spread = torch.nn.functional.normalize(result, dim=1).mean(0).norm()
    assert raw > 0.9 and spread < 0.05


def test_spherical_heights_and_azimuths_are_uniform():
    offset = skewed(500, seed=8, collapsed=True)
    result = OffsetDistributionRegularization(PRIOR, "spherical")(offset, one_view(offset))
    unit = torch.nn.functional.normalize(result, dim=1)
    step = (torch.arange(500) + 0.5) / 500 * 2 - 1
    torch.testing.assert_close(unit[:, 2].sort().values, step, atol=1e-5, rtol=0)
    azimuth = torch.atan2(unit[:, 1], unit[:, 0]).sort().values
    torch.testing.assert_close(azimuth, step * torch.pi, atol=1e-4, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), direction=st.sampled_from(["cartesian", "spherical", "keep"]))
def test_permuting_points_permutes_the_result(seed, direction):
    offset = skewed(60, seed)
    group = torch.randint(0, 3, (60,), generator=torch.Generator().manual_seed(seed))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(seed + 1))
    odr = OffsetDistributionRegularization(PRIOR, direction)
    torch.testing.assert_close(odr(offset[order], group[order]), odr(offset, group)[order])


def test_view_scope_treats_every_view_alone_and_batch_scope_all_at_once():
    offset = torch.cat([skewed(50, 0), 100 * skewed(80, 1)])
    group = torch.tensor([0] * 50 + [2] * 80)  # group 1 is empty
    alone = OffsetDistributionRegularization(PRIOR)
    result = alone(offset, group)
    torch.testing.assert_close(result[:50], alone(offset[:50], one_view(offset[:50])))
    torch.testing.assert_close(result[50:], alone(offset[50:], one_view(offset[50:])))
    batch = OffsetDistributionRegularization(PRIOR, scope="batch")
    torch.testing.assert_close(batch(offset, group), alone(offset, one_view(offset)))


def test_half_strength_is_the_midpoint_and_zero_is_the_input():
    offset = skewed(40, 2)
    full = OffsetDistributionRegularization(PRIOR)(offset, one_view(offset))
    half = OffsetDistributionRegularization(PRIOR, strength=0.5)(offset, one_view(offset))
    torch.testing.assert_close(half, (offset + full) / 2)
    assert torch.equal(OffsetDistributionRegularization(PRIOR, strength=0.0)(offset, one_view(offset)), offset)


def test_ties_share_one_length_wherever_they_stand():
    offset = torch.tensor([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.2], [-0.1, 0, 0]])
    length = OffsetDistributionRegularization(PRIOR)(offset, one_view(offset)).norm(dim=1)
    expected = PRIOR.quantile(torch.tensor([1.5 / 4, 1.5 / 4, 3.5 / 4, 1.5 / 4]))
    torch.testing.assert_close(length, expected)


@pytest.mark.parametrize("direction", ["cartesian", "spherical", "keep"])
@pytest.mark.parametrize("num_points", [1, 2, 500])
def test_zero_offsets_are_finite_and_favor_no_direction(direction, num_points):
    offset = torch.zeros(num_points, 3)
    result = OffsetDistributionRegularization(PRIOR, direction)(offset, one_view(offset))
    median = PRIOR.quantile(torch.tensor(0.5))
    torch.testing.assert_close(result.norm(dim=1), median.expand(num_points))
    assert num_points < 500 or torch.nn.functional.normalize(result, dim=1).mean(0).norm() < 0.1
    assert torch.equal(result, OffsetDistributionRegularization(PRIOR, direction)(offset, one_view(offset)))


def test_no_points_and_no_gradient():
    odr = OffsetDistributionRegularization(PRIOR)
    assert odr(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)).shape == (0, 3)
    offset = skewed(10, 0).requires_grad_()
    assert not odr(offset, one_view(offset)).requires_grad


def test_refine_replaces_offsets_only():
    offset = skewed(20, 0)
    valid = torch.rand(20) > 0.5
    field = OffsetField(
        torch.rand(20, 3),
        StageFeatures(torch.rand(20, 4)),
        offset,
        one_view(offset),
        valid,
        one_view(offset),
        torch.tensor([0.08]),
    )
    odr = OffsetDistributionRegularization(PRIOR)
    refined = odr.refine(field)
    assert torch.equal(refined.offset, odr(offset, one_view(offset)))
    assert refined.valid is valid and refined.coord is field.coord and field.offset is offset


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(direction="polar"), "direction 'polar' is unknown; expected one of cartesian"),
        (dict(scope="scene"), "scope 'scene' is unknown; expected one of view, batch"),
        (dict(strength=1.5), r"strength is 1.5; expected 0 \(off\) to 1"),
    ],
)
def test_unknown_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        OffsetDistributionRegularization("indoor", **options)


# scope "global": the ranks of all processes together, from histograms

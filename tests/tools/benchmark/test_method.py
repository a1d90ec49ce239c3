"""The references of the benchmark do what ours does."""

import numpy as np
import pytest
import torch

from benchmark.inputs import voxels
from benchmark.method import ball_query_components, reference_odr, reference_scr
from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, SpatialClusteringRegularization
from pointins_ext.evaluation import adjusted_rand_index
from pointins_ext.ops import radius_components

pytest.importorskip("sklearn")


def sample():
    coord, feat, offset, group = voxels(16_000, 16)
    assert group.unique().tolist() == [0, 1] and len(coord) == 16_000
    return coord, feat, offset, group


def test_reference_of_odr_is_odr():
    _, _, offset, group = sample()
    prior = MagnitudePrior.load("indoor")
    ours = OffsetDistributionRegularization(prior)(offset, group)
    reference = reference_odr(offset.numpy(), group.numpy(), prior.quantiles.double().numpy())
    np.testing.assert_allclose(ours.numpy(), reference, atol=2e-4)


def test_reference_of_components_finds_the_same_ones():
    coord, _, offset, group = sample()
    ours = radius_components(coord + offset, 0.06, group)
    reference = ball_query_components((coord + offset).numpy(), group.numpy(), most=10**6)
    assert adjusted_rand_index(ours.numpy(), reference) == 1.0


def test_reference_of_scr_is_scr_where_segments_are_plain():
    coord, _, offset, group = sample()
    feat = torch.eye(20)[torch.arange(len(coord)) // 40 % 20]
    ours = SpatialClusteringRegularization(20, radius=0.12)(coord, feat, offset, group)
    reference = reference_scr(*(t.numpy() for t in (coord, feat, offset, group)))
    np.testing.assert_allclose(ours.center.numpy(), reference, atol=1e-4)

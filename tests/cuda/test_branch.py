"""Every part of the branch gives on a GPU what it gives on the CPU."""

import pytest
import torch

from pointins_ext import branch
from pointins_ext.branch.head import OffsetHead
from pointins_ext.branch.rule import GraphRule
from pointins_ext.models.boxes import BoxHead, box_targets
from pointins_ext.models.sinkhorn import sinkhorn_knopp, zipf_sinkhorn
from tests.fixtures.tiny_pointins import GRID, about_z, scene_points

COORD = torch.cat([scene_points(0, 400), scene_points(1, 300)])
GENERATOR = torch.Generator().manual_seed(0)
COORD = COORD + 0.01 * torch.rand(COORD.shape, generator=GENERATOR)  # off the grid: no two nearest points
GROUP = (torch.arange(len(COORD)) >= len(scene_points(0, 400))).long()
FEAT = torch.sin(5 * COORD @ torch.randn(3, 16, generator=GENERATOR))
OFFSET = 0.1 * torch.randn(COORD.shape, generator=GENERATOR)
OFFSET[::50] = 0
VIEWS = torch.stack([GROUP, 1 - GROUP])
VOXEL = torch.full((2,), GRID)
VALID = torch.rand(len(COORD), generator=GENERATOR) < 0.7
MAPS = torch.stack([about_z(33, 1.05), about_z(-70, flip=True)])


def head(to):
    torch.manual_seed(0)
    features = branch.StageFeatures(to(FEAT), ((to(FEAT[:40]), to(GROUP * 7)),))
    return OffsetHead(32, 16).to(to(FEAT).device)(features)


def pose(to):
    view = torch.einsum("nij,nj->ni", MAPS[GROUP], COORD) + 0.3
    return tuple(branch.recover_affine(to(view), to(COORD), to(GROUP), 2))


def odr(direction, scope="view"):
    return lambda to: branch.OffsetDistributionRegularization("indoor", direction, scope=scope)(to(OFFSET), to(GROUP))


def kmeans_scr(to):
    scr = branch.SpatialClusteringRegularization(3, radius=0.12, generator=torch.Generator().manual_seed(0))
    found = scr(to(COORD), to(FEAT), to(OFFSET), to(GROUP), to(VALID))
    return found.label, found.center, found.valid, found.cut


def pairwise_scr(to):
    scr = branch.PairwiseClusteringRegularization(max_length=1.0)
    found = scr(to(COORD), to(FEAT), to(OFFSET), to(GROUP), to(VOXEL))
    return found.label, found.center, found.valid


def graph_rule(to):
    normal = torch.nn.functional.normalize(OFFSET + 1e-3, dim=1)
    merged = GraphRule()(to(COORD), to(FEAT), to(OFFSET), to(normal), to(GROUP), GRID)
    return merged.label, merged.rest


def field(to):
    features = branch.StageFeatures(to(FEAT))
    scene = torch.zeros_like(GROUP)
    return branch.OffsetField(to(COORD), features, *map(to, (OFFSET, GROUP, VALID, scene, VOXEL)))


CALLS = dict(
    head=head,
    pose=pose,
    odr_cartesian=odr("cartesian"),
    odr_spherical=odr("spherical"),
    odr_lengths=odr("keep", "batch"),
    odr_global=odr("cartesian", "global"),
    scr_kmeans=kmeans_scr,
    scr_pairwise=pairwise_scr,
    graph_rule=graph_rule,
    border=lambda to: field(to).border(),
    match=lambda to: branch.match(
        to(COORD + 0.003), to(torch.stack([GROUP, 1 - GROUP])), to(COORD), to(GROUP), to(VOXEL)
    ),
    loss=lambda to: branch.offset_loss(to(OFFSET), to(FEAT[:, :3]), to(VALID), to(GROUP)),
    prior=lambda to: branch.MagnitudePrior.fit(to(OFFSET).norm(dim=1)).cdf(to(OFFSET[:, 0].abs())),
    quantile=lambda to: branch.MagnitudePrior.load("outdoor").quantile(to(OFFSET[:, 0].abs())),
    transform=lambda to: branch.transform_vectors(to(MAPS), to(OFFSET), to(GROUP)),
    boxes=lambda to: box_targets(
        to(torch.cat([COORD, COORD.abs(), OFFSET[:, :1]], 1)), to(COORD), to(MAPS[GROUP]), to(OFFSET), to(COORD[0] + 1)
    ),
    box_head=lambda to: (torch.manual_seed(0), BoxHead(16, 8).to(to(FEAT).device)(to(FEAT), to(FEAT)))[1],
    sinkhorn=lambda to: sinkhorn_knopp(to(FEAT), 0.5),
    zipf_sinkhorn=lambda to: zipf_sinkhorn(to(FEAT), 0.5),
)


@pytest.mark.parametrize("name", CALLS)
def test_equals_the_cpu(name, device):
    results = [CALLS[name](lambda tensor, place=place: tensor.to(place)) for place in ("cpu", device)]
    for expected, found in zip(*(value if isinstance(value, tuple) else (value,) for value in results), strict=True):
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected, atol=1e-5, rtol=1e-5)


def test_how_often_the_parts_ask_the_gpu(waits_of, device):
    coord, feat, offset, group, voxel, valid = (x.to(device) for x in (COORD, FEAT, OFFSET, GROUP, VOXEL, VALID))
    regularize, scr = branch.OffsetDistributionRegularization("indoor"), branch.PairwiseClusteringRegularization()
    assert waits_of(lambda: branch.recover_affine(coord, coord, group, 2)) <= 1
    assert waits_of(lambda: regularize(offset, group, 2)) == 0
    assert waits_of(lambda: branch.offset_loss(offset, coord, valid, group, 2)) == 0
    assert waits_of(lambda: scr(coord, feat, offset, group, voxel)) <= 6
    assert waits_of(lambda: branch.match(coord, group, coord, group, voxel)) <= 2

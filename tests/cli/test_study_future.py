"""Rows of the study that go beyond the paper: what they promise, on scenes whose answer is known."""

from dataclasses import replace

import pytest
import torch

from pointins_ext.branch import MagnitudePrior, OffsetField, SpatialClusteringRegularization, StageFeatures
from pointins_ext.cli.study_future import AdaptiveK, CropODR, like_prior, views_agree

VOXEL = 0.08


@pytest.fixture
def field():
    """A floor and nine boxes on it in two views of one scene, with a random field of offsets."""
    generator = torch.Generator().manual_seed(0)
    floor = torch.rand(4000, 3, generator=generator) * torch.tensor([6.0, 6.0, 0.01])
    place = torch.cartesian_prod(torch.arange(3), torch.arange(3)).float() * 2 + 1
    boxes = torch.rand(9, 150, 3, generator=generator) * torch.tensor([0.4, 0.4, 0.8]) + 0.1
    boxes[..., :2] += place[:, None]
    scene = torch.cat([floor, boxes.flatten(0, 1)])
    coord = torch.cat([scene, scene])
    number = torch.cat([torch.zeros(4000), torch.arange(9).repeat_interleave(150) + 1]).long().repeat(2)
    feat = torch.nn.functional.one_hot(number, 10).float() + 0.05 * torch.rand(len(coord), 10, generator=generator)
    offset = 0.3 * torch.randn(len(coord), 3, generator=generator)
    view = torch.arange(2).repeat_interleave(len(scene))
    return OffsetField(
        coord,
        StageFeatures(feat),
        offset,
        view,
        torch.ones(len(coord), dtype=torch.bool),
        torch.zeros_like(view),
        torch.full((2,), VOXEL),
    )


def object_offsets(field):
    """Offsets (M,3) of the voxels of boxes to their centers, and where they are."""
    number = field.features.finest.argmax(1)
    center = torch.stack([field.coord[number == i].mean(0) for i in range(10)])
    on_box = number > 0
    return (center[number] - field.coord)[on_box], on_box


@pytest.mark.parametrize("direction", ["cartesian", "keep", "anisotropic"])
def test_lengths_follow_the_objects_of_the_crop_and_planes_have_no_target(field, direction):
    target = CropODR(direction).refine(field)
    true, on_box = object_offsets(field)
    assert torch.equal(target.valid, on_box)
    levels = torch.linspace(0.05, 0.95, 19)
    got, expected = target.offset[on_box].norm(dim=1).quantile(levels), true.norm(dim=1).quantile(levels)
    torch.testing.assert_close(got, expected, rtol=0.03, atol=0.0)


def test_directions_stay_or_rise_as_the_objects_do(field):
    true, on_box = object_offsets(field)
    unit = torch.nn.functional.normalize(field.offset[on_box], dim=1)
    kept = CropODR("keep").refine(field).offset[on_box]
    torch.testing.assert_close(torch.nn.functional.normalize(kept, dim=1), unit, rtol=0, atol=1e-4)
    levels = torch.linspace(0.05, 0.95, 19)
    height = torch.nn.functional.normalize(true, dim=1)[:, 2].quantile(levels)
    got = torch.nn.functional.normalize(CropODR("anisotropic").refine(field).offset[on_box], dim=1)[:, 2]
    torch.testing.assert_close(got.quantile(levels), height, rtol=0, atol=0.02)
    even = torch.nn.functional.normalize(CropODR("spherical").refine(field).offset[on_box], dim=1)[:, 2]
    assert (even.quantile(levels) - height).abs().max() > 0.1


def scr(number=5):
    return SpatialClusteringRegularization(
        number, feature="loss_stage", radius=1.0, generator=torch.Generator().manual_seed(0)
    )


def test_every_view_has_the_targets_of_its_own_k(field):
    field = field.replace(offset=torch.zeros_like(field.offset))
    wanted = {0: 8, 1: 20}
    refined = {}
    mixed = AdaptiveK(scr(), lambda target, view: target.instances is refined[wanted[int(view)]].instances)

    def remember(own, number):
        refined[number] = scr(number).refine(own)
        return refined[number]

    mixed._refined = remember
    target = mixed.refine(field)
    for view, number in wanted.items():
        own = field.view == view
        torch.testing.assert_close(target.offset[own], refined[number].offset[own])
        assert torch.equal(target.valid[own], refined[number].valid[own])
        pairs = torch.stack([target.instances.label[own], refined[number].instances.label[own]]).unique(dim=1)
        assert pairs.shape[1] == len(target.instances.label[own].unique())
    labels = [target.instances.label[field.view == view].unique() for view in wanted]
    assert not set(labels[0].tolist()) & set(labels[1].tolist())


def test_criteria_prefer_what_is_right(field):
    true, on_box = object_offsets(field)
    right = torch.zeros_like(field.offset)
    right[on_box] = true
    prior = MagnitudePrior.fit(true.norm(dim=1))
    good, far = (field.replace(offset=factor * right, valid=on_box) for factor in (1, 2))
    assert like_prior(prior)(good, 0) > like_prior(prior)(far, 0)
    target = scr(1).refine(field.replace(offset=right))
    assert views_agree(target, 0) == pytest.approx(1)
    label = torch.where(target.view == 1, target.coord[:, 0].long(), target.instances.label)
    other = replace(target.instances, label=label)
    assert views_agree(target.replace(instances=other), 0) < 0.5

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import GraphRule, MergeEvidence
from tests.fixtures.surfaces import OPEN_BELOW, box, floor, random_rotation, scene, without_hidden

STEP = 0.05
PLACES = ((0.3, 0.3, 0), (0.4, 0.4, 0.3)), ((0.9, 0.9, 0), (0.3, 0.3, 0.4))


def two_boxes(seed=0, noise=0.3):
    """Voxels, features, offsets, and normals of two boxes on a floor, and the part (N,) 0 (floor), 1, or 2; no ties."""
    ground = floor(1.5, STEP)
    for place in PLACES:
        ground = without_hidden(ground, *place)
    coord, normal, part = scene(ground, *[box(*place, STEP, OPEN_BELOW) for place in PLACES])
    generator = torch.Generator().manual_seed(seed)
    coord = coord + 0.1 * STEP * torch.rand(coord.shape, generator=generator)
    normal = torch.nn.functional.normalize(normal + 0.02 * torch.randn(coord.shape, generator=generator), dim=1)
    feat = torch.eye(8)[part] + noise * torch.randn(len(coord), 8, generator=generator)
    center = torch.stack([coord[part == number].mean(0) for number in range(3)])
    offset = center[part] - coord + noise * 0.1 * torch.randn(coord.shape, generator=generator)
    return coord, feat, offset, normal, part


def same_partition(first, second):
    pairs = len(torch.unique(torch.stack([first, second], 1), dim=0))
    return pairs == len(first.unique()) == len(second.unique())


def standing(scene):
    """What stands on the floor."""
    return [value[scene[-1] > 0] for value in scene]


def apply(scene, group=None, rule=None, voxel=STEP):
    coord, feat, offset, normal, part = scene
    group = torch.zeros_like(part) if group is None else group
    return (rule or GraphRule())(coord, feat, offset, normal, group, voxel)


@pytest.mark.parametrize("seed", range(3))
def test_each_box_is_one_object(seed):
    parts = standing(two_boxes(seed))
    merged = apply(parts)
    assert same_partition(merged.label, parts[-1])
    assert merged.label.unique().tolist() == [0, 1] and merged.rest.tolist() == [-np.inf] * 2  # nothing touches


def test_groups_are_never_joined_and_independent():
    parts = standing(two_boxes())
    whole = apply(parts)
    twice = [torch.cat([value, value]) for value in parts]  # two views of one place
    group = 3 * torch.repeat_interleave(torch.tensor([len(parts[0])] * 2))
    label = apply(twice, group=group).label
    assert same_partition(label, group + twice[-1]) and len(label.unique()) == 2 * len(whole.rest)
    half = (parts[0][:, 0] > 0.5).long()  # cuts a box
    label = apply(parts, group=half).label
    assert not set(label[half == 0].tolist()) & set(label[half == 1].tolist())


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), voxel=st.sampled_from([0.2, 1.0, 30.0]))
def test_pose_place_scale_and_order_do_not_matter(seed, voxel):
    coord, feat, offset, normal, part = two_boxes(seed, noise=1.0)
    coord, offset, normal = coord.double(), offset.double(), normal.double()
    strict = dict(rule=GraphRule(share=0.8, evidence=MergeEvidence(bias=-1.5)))  # leaves several objects
    plain = apply((coord, feat, offset, normal, part), **strict)
    turn, scale = random_rotation(seed), voxel / STEP
    moved = (coord - 3) @ turn.T * scale, feat, offset @ turn.T * scale, normal @ turn.T, part
    merged = apply(moved, voxel=voxel, **strict)
    assert same_partition(merged.label, plain.label) and len(plain.rest) > 2
    order = torch.randperm(len(coord), generator=torch.Generator().manual_seed(seed))
    mixed = apply([value[order] for value in (coord, feat, offset, normal, part)], **strict)
    assert same_partition(mixed.label, plain.label[order])
    torch.testing.assert_close(mixed.rest[mixed.label], plain.rest[plain.label[order]], atol=1e-4, rtol=1e-4)


def test_offsets_that_point_out_make_one_object_of_two_surfaces():
    """Seat and back rest meet in a groove, their center lies before both."""
    coord, normal, part = scene(box((0, 0, 0), (0.5, 0.5, 0), STEP, [2]), box((0, 0, 0), (0, 0.5, 0.5), STEP, [0]))
    feat, center = torch.ones(len(coord), 1), torch.tensor([0.25, 0.25, 0.25])
    group = torch.zeros_like(part)
    chair = GraphRule()(coord, feat, center - coord, normal, group, STEP)
    assert chair.label.unique().tolist() == [0]
    alone = GraphRule(evidence=MergeEvidence(bias=-100.0))(coord, feat, center - coord, normal, group, STEP)
    assert torch.equal(alone.label, chair.label)  # the first regions know it already
    unsure = GraphRule()(coord, feat, 0 * coord, normal, group, STEP)
    assert same_partition(unsure.label, part)
    assert chair.rest.tolist() == [-np.inf] and (unsure.rest < 0).all() and unsure.rest.isfinite().all()


@pytest.mark.parametrize("num_points", [0, 1])
def test_no_point_and_a_single_point(num_points):
    coord, number = torch.zeros(num_points, 3), torch.zeros(num_points, dtype=torch.long)
    merged = apply((coord, coord, coord, coord, number))
    assert len(merged.label) == len(merged.rest) == num_points

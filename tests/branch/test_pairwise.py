"""SCR by pairs: objects of a scene whatever crops show of them, one center for all views, no target on planes."""

import pytest
import torch

from pointins_ext.branch import OffsetField, PairwiseClusteringRegularization, StageFeatures
from pointins_ext.ops import segment_mean

VOXEL = 0.08
BOXES = ((0.5, 0.5, 0.8), (1.9, 0.6, 0.6), (1.0, 1.9, 1.0))  # x, y of a corner and edge, meters


def faces(low, edge):
    """Voxels (N,3) of the five faces of a cube that can be seen: not the one it stands on."""
    axis = torch.arange(0, edge + VOXEL / 2, VOXEL)
    cube = torch.cartesian_prod(axis, axis, axis)
    on_face = (cube[:, :2] < VOXEL / 2).any(1) | (cube > axis[-1] - VOXEL / 2).any(1)
    return cube[on_face & (cube[:, 2] > VOXEL / 2)] + torch.tensor([*low, 0.0])


@pytest.fixture(scope="module")
def room():
    """coord (N,3), feat (N,8), and object (N,) of a floor (-1) with boxes, whose noisy features tell them apart."""
    axis = torch.arange(0, 3.2, VOXEL)
    floor = torch.cartesian_prod(axis, axis, torch.zeros(1))
    parts = [floor, *(faces(low, edge) for *low, edge in BOXES)]
    member = torch.cat([torch.full((len(part),), i - 1) for i, part in enumerate(parts)])
    generator = torch.Generator().manual_seed(0)
    kind = torch.randn(len(parts), 8, generator=generator)
    coord = torch.cat(parts) + 0.004 * torch.randn(len(member), 3, generator=generator)
    return coord, kind[member + 1] + 0.3 * torch.randn(len(member), 8, generator=generator), member


def voxels(view):
    return torch.full((int(view.max()) + 1 if len(view) else 1,), VOXEL)


def cut(coord, feat, group=None, **options):
    group = torch.zeros(len(coord), dtype=torch.long) if group is None else group
    return PairwiseClusteringRegularization(**options)(coord, feat, torch.zeros_like(coord), group, voxels(group))


def field(coord, feat, view, scene):
    valid = torch.ones_like(view, dtype=torch.bool)
    return OffsetField(coord, StageFeatures(feat), torch.zeros_like(coord), view, valid, scene, voxels(view))


def crops(room):
    """Two overlapping views of the room, as one batch: row in the room (N,) and view (N,)."""
    x = room[0][:, 0]
    rows = [(x < 2.1).nonzero().squeeze(1), (x > 0.9).nonzero().squeeze(1)]
    return torch.cat(rows), torch.cat([torch.full_like(row, i) for i, row in enumerate(rows)])


def test_every_box_is_one_object_and_the_floor_gets_no_target(room):
    coord, feat, member = room
    found = cut(coord, feat)
    assert found.valid[member >= 0].float().mean() > 0.97 and found.valid[member < 0].float().mean() < 0.03
    for box in range(len(BOXES)):
        own = (member == box) & found.valid
        label, votes = found.label[own].unique(return_counts=True)
        assert votes.max() > 0.97 * own.sum()
        assert (found.label == label[votes.argmax()]).sum() < 1.1 * (member == box).sum()
    truth = segment_mean(coord[member >= 0], member[member >= 0], len(BOXES))[member.clamp(min=0)]
    error = (found.center - truth).norm(dim=1)[(member >= 0) & found.valid]
    assert error.quantile(0.9) < VOXEL


def test_all_views_point_at_one_center_also_where_a_crop_cuts_an_object(room):
    row, view = crops(room)
    coord, feat, member = (value[row] for value in room)
    refined = PairwiseClusteringRegularization().refine(field(coord, feat, view, torch.zeros_like(view)))
    whole = cut(room[0], room[1])
    both = refined.valid & whole.valid[row] & (member >= 0)
    assert both.sum() > 0.95 * (member >= 0).sum()
    torch.testing.assert_close(refined.center[both], whole.center[row][both], atol=VOXEL / 4, rtol=0)
    first, second = (refined.center[view == i] for i in (0, 1))
    shared = torch.isin(row[view == 0], row[view == 1]), torch.isin(row[view == 1], row[view == 0])
    torch.testing.assert_close(first[shared[0]], second[shared[1]])


def test_scenes_of_a_batch_do_not_see_each_other(room):
    coord, feat, _ = room
    alone = cut(coord, feat)
    scene = torch.arange(2).repeat_interleave(len(coord))
    together = cut(coord.repeat(2, 1), feat.repeat(2, 1), scene)
    for i in (0, 1):
        assert torch.equal(together.center[scene == i], alone.center)
        assert torch.equal(together.valid[scene == i], alone.valid)
    assert not set(together.label[scene == 0].tolist()) & set(together.label[scene == 1].tolist())


def test_scenes_of_several_scales_in_one_batch(room):
    coord, feat, _ = room
    places, edges = (coord, 5 * coord), torch.tensor([VOXEL, 5 * VOXEL])
    scene, one = torch.arange(2).repeat_interleave(len(coord)), torch.zeros(len(coord), dtype=torch.long)
    valid = torch.ones_like(scene, dtype=torch.bool)
    both = torch.cat(places)
    mixed = OffsetField(both, StageFeatures(feat.repeat(2, 1)), torch.zeros_like(both), scene, valid, scene, edges)
    refined = PairwiseClusteringRegularization().refine(mixed)
    for number, place in enumerate(places):
        alone = PairwiseClusteringRegularization()(place, feat, torch.zeros_like(place), one, edges[[number]])
        assert torch.equal(refined.valid[scene == number], alone.valid) and alone.valid.any()
        torch.testing.assert_close(refined.center[scene == number], alone.center)


def test_the_center_is_the_mean_of_the_object(room):
    coord, feat, _ = room
    found = cut(coord, feat)
    for label in found.label[found.valid].unique():
        own = found.label == label
        # of the voxels of the grid; one may hold two points
        torch.testing.assert_close(found.center[own][0], coord[own].mean(0), atol=VOXEL / 4, rtol=0)
        assert (found.center[own] == found.center[own][0]).all()


def test_it_moves_with_the_scene(room):
    coord, feat, _ = room
    shift = torch.tensor([4 * VOXEL, -6 * VOXEL, 2 * VOXEL])
    here, there = cut(coord, feat), cut(coord + shift, feat)
    same = here.valid & there.valid
    assert same.sum() > 0.97 * here.valid.sum()
    close = ((there.center - shift - here.center).norm(dim=1) < VOXEL)[same]
    assert close.float().mean() > 0.97


def test_small_and_far_targets_are_invalid(room):
    coord, feat, member = room
    reach = cut(coord, feat, max_length=0.3)
    assert reach.valid.any() and ((reach.center - coord).norm(dim=1)[reach.valid] <= 0.3).all()
    largest = max(int((member == box).sum()) for box in range(len(BOXES)))
    assert not cut(coord, feat, min_points=2 * largest).valid.any()


def test_no_voxel_and_one_voxel():
    none = cut(torch.zeros(0, 3), torch.zeros(0, 8))
    assert len(none.label) == len(none.center) == len(none.valid) == 0
    one = cut(torch.ones(1, 3), torch.ones(1, 8))
    assert one.label.tolist() == [0] and not one.valid.any() and torch.equal(one.center, torch.ones(1, 3))


def test_offsets_are_replaced_and_what_was_invalid_stays_so(room):
    coord, feat, _ = room
    view = torch.zeros(len(coord), dtype=torch.long)
    start = field(coord, feat, view, view)
    start = start.replace(valid=torch.arange(len(coord)) % 2 == 0)
    refined = PairwiseClusteringRegularization().refine(start)
    assert not (refined.valid & ~start.valid).any() and refined.valid.any()
    torch.testing.assert_close(refined.coord + refined.offset, refined.instances.center)


def test_the_planes_of_a_scene_have_one_label_and_change_no_object(room):
    coord, feat, member = room
    found, alone = cut(coord, feat), cut(coord[member >= 0], feat[member >= 0], planes=False)
    floor = found.label[found.segment > 0].unique()
    assert len(floor) == 1 and not found.valid[found.label == floor].any()
    same = found.valid[member >= 0] & alone.valid
    assert same.sum() > 0.97 * (member >= 0).sum()
    torch.testing.assert_close(found.center[member >= 0][same], alone.center[same], atol=VOXEL, rtol=0)

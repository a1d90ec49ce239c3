import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import GraphRule, MergeEvidence
from pointins_ext.instances import drop_small, find_instances
from pointins_ext.instances.find import surface_normals
from tests.fixtures.surfaces import OPEN_BELOW, box, floor, scene, without_hidden
from tests.oracles.components import ball_components

STEP = 0.05
SMALL, LARGE = ((0.5, 0.5, 0), (0.4, 0.4, 0.3)), ((1.4, 1.4, 0), (0.5, 0.5, 0.5))
BESIDE = (0.9, 0.5, 0), (0.5, 0.5, 0.5)  # touches SMALL
UNLIKE_APART = GraphRule(evidence=MergeEvidence(affinity=4.0))  # so that features alone part what touches


def room(*places, size=2.5):
    """A floor with boxes: coord, exact offsets, features that differ, and the part (V,), 0 = floor; and the normals."""
    ground, parts = floor(size, STEP), [box(*place, STEP, OPEN_BELOW) for place in places]
    for number, place in enumerate(places):
        ground = without_hidden(ground, *place)
        parts = [part if i == number else without_hidden(part, *place) for i, part in enumerate(parts)]
    coord, normal, part = scene(ground, *parts)
    center = torch.stack([coord[part == number].mean(0) for number in range(len(parts) + 1)])
    return (coord, center[part] - coord, torch.eye(8)[part], STEP), part.numpy(), normal


def same_partition(first, second):
    return len(np.unique([first, second], axis=1).T) == len(np.unique(first)) == len(np.unique(second))


@pytest.mark.parametrize("places, rule", [((SMALL, LARGE), None), ((SMALL, BESIDE), UNLIKE_APART)])
@pytest.mark.parametrize("known", [(), ("normal",), ("plane",), ("normal", "plane")], ids="-".join)
def test_floor_and_boxes_apart_or_touching(places, rule, known):
    scan, part, normal = room(*places)
    options = {name: {"normal": normal, "plane": part == 0}[name] for name in known}
    found = find_instances(*scan, rule=rule, **options)
    assert same_partition(found.label, part) and found.label.dtype == np.int64
    assert sorted(set(found.label.tolist())) == list(range(len(found.score))) == [0, 1, 2]
    assert found.stuff.dtype == bool and (found.stuff[found.label] == (part == 0)).all()
    assert found.score.shape == (3,) and ((found.score > 0) & (found.score < 1)).all()


def test_arrays_and_tensors_give_the_same():
    scan, _, normal = room(SMALL, LARGE)
    first = find_instances(*scan, normal=normal)
    second = find_instances(*[value.double().numpy() for value in scan[:3]], STEP, normal=normal.numpy())
    assert all(np.array_equal(vars(first)[name], vars(second)[name]) for name in vars(first))


def test_the_larger_of_two_that_stand_alone_scores_higher():
    scan, part, _ = room(SMALL, LARGE)
    found = find_instances(*scan)
    small, large = (found.score[found.label[part == number][0]] for number in (1, 2))
    assert (part == 1).sum() < (part == 2).sum() and small < large
    assert large == pytest.approx((part == 2).sum() / ((part == 2).sum() + 500))


def test_what_speaks_for_a_neighbor_lowers_the_score():
    scores = []
    for affinity in (3.0, 4.0, 20.0):  # surely apart, in the end
        scan, part, _ = room(SMALL, BESIDE)
        found = find_instances(*scan, rule=GraphRule(evidence=MergeEvidence(affinity=affinity)))
        assert same_partition(found.label, part)
        scores.append(found.score[found.label[part == 1][0]])
    size = (part == 1).sum()
    assert scores == sorted(scores) and scores[0] < scores[1] < size / (size + 500)
    assert scores[2] == pytest.approx(size / (size + 500), rel=1e-3)


def test_small_instances_are_none_or_go_to_the_nearest():
    scan, part, _ = room(((0.5, 0.5, 0), (0.4, 0.4, 0.8)), ((1.5, 1.5, 0), (0.8, 0.8, 0.8)))
    size = np.bincount(part)
    low = find_instances(*scan, plane=part == 0, min_points=int(size[1]))
    assert same_partition(low.label, part)
    found = find_instances(*scan, plane=part == 0, min_points=int(size[1]) + 1)
    assert len(found.score) == len(found.stuff) == 2 and found.label.max() == 1
    height = scan[0][:, 2].numpy()
    gone = found.label[part == 1]
    floor_label = found.label[part == 0][0]
    assert (gone[height[part == 1] < 9.9 * STEP] == floor_label).all()  # 10 voxels, and half a voxel sidewards
    assert (gone[height[part == 1] > 10 * STEP] == -1).all()
    assert same_partition(found.label[part != 1], part[part != 1])


def test_scores_stay_with_their_instances_when_others_are_dropped():
    scan, part, _ = room(((0.3, 1.9, 0), (0.15, 0.15, 0.1)), SMALL, BESIDE)
    options = dict(plane=part == 0, rule=UNLIKE_APART)
    every = find_instances(*scan, min_points=1, **options)
    some = find_instances(*scan, min_points=100, **options)
    assert len(every.score) == 4 and len(some.score) == 3
    for number in (2, 3):
        member = np.flatnonzero(part == number)[0]
        assert some.score[some.label[member]] == every.score[every.label[member]]


@pytest.mark.parametrize("num_points", [0, 1, 30])
def test_nothing_is_found(num_points):
    coord = torch.rand(num_points, 3, generator=torch.Generator().manual_seed(0))
    found = find_instances(coord, 0 * coord, torch.ones(num_points, 4), STEP)
    assert found.label.tolist() == [-1] * num_points and len(found.stuff) == len(found.score) == 0
    one = find_instances(coord, 0 * coord, torch.ones(num_points, 4), STEP, min_points=1)
    assert len(one.score) == len(np.unique(one.label)) and (one.label >= 0).all()


def test_an_object_is_stuff_where_most_of_it_lies_on_planes():
    scan, part, _ = room(LARGE)
    nothing = find_instances(*scan, plane=np.zeros(len(part), bool), rule=UNLIKE_APART)
    assert not nothing.stuff.any()
    everything = find_instances(*scan, plane=np.ones(len(part), bool))
    assert everything.stuff.tolist() == [True]  # floor and box touch: one connected part
    lid = (part == 1) & (scan[0][:, 2].numpy() > 0.49) & (np.arange(len(part)) % 4 == 0)  # too small, joins its box
    some = find_instances(*scan, plane=(part == 0) | lid)
    assert same_partition(some.label, part) and (some.stuff[some.label] == (part == 0)).all()


def test_normals_are_those_given_else_estimated_outwards_and_smoothed():
    (coord, *_), _, normal = room(SMALL, LARGE)
    given, found = surface_normals(coord, normal.numpy()), surface_normals(coord)
    for value in (given, found):
        torch.testing.assert_close(value.norm(dim=1), torch.ones(len(coord)))
        assert ((value * normal).sum(1) > 0).all()
    assert (surface_normals(coord, -normal) == -given).all()
    assert 0 < (given != normal).any(1).float().mean() < 0.5  # edges are rounded, faces are not


def test_instances_are_those_of_the_rule():
    scan, part, normal = room(SMALL, BESIDE)
    coord, offset, feat, _ = scan
    free = torch.tensor(part > 0)
    one_scan = torch.zeros(int(free.sum()), dtype=torch.long)
    merged = UNLIKE_APART(coord[free], feat[free], offset[free], surface_normals(coord, normal)[free], one_scan, STEP)
    found = find_instances(*scan, normal=normal, plane=~free, rule=UNLIKE_APART)
    assert np.array_equal(found.label[free], drop_small(merged.label.numpy(), 50))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), least=st.integers(1, 6))
def test_parts_of_planes_are_pieces_that_are_near_whatever_their_features(seed, least):
    (coord, *_), _, normal = room(SMALL, LARGE)
    generator = torch.Generator().manual_seed(seed)
    plane = torch.randint(-7, 3, (len(coord),), generator=generator).clamp(min=0)  # 1 and 2 a tenth each
    feat, offset = torch.randn(len(coord), 8, generator=generator), torch.randn(coord.shape, generator=generator)
    rule = GraphRule(radius=2.5)
    label = find_instances(coord, offset, feat, STEP, normal, plane, least, rule).label
    on = np.flatnonzero(plane > 0)
    coord, number = coord.double().numpy(), plane.numpy()
    piece = np.array(ball_components(coord[on], 1.75 * STEP, number[on]))
    on = on[np.bincount(piece)[piece] >= least]
    assert same_partition(label[on], ball_components(coord[on], 2.5 * STEP, number[on]))


@pytest.mark.parametrize("gap, owner", [(0, "floor"), (2, "box")])
def test_what_a_plane_takes_of_an_object_goes_back_where_a_gap_is_below(gap, owner):
    """The ground's plane is thick and takes the sill of a car, too, which touches its car, not the ground."""
    (coord, offset, feat, voxel), part, _ = room(LARGE)
    ground = coord[part == 0, 2].max()
    coord[part == 1, 2] += gap * STEP
    sill = (part == 1) & (coord[:, 2] < ground + (gap + 1.5) * STEP).numpy()
    found = find_instances(coord, offset, feat, voxel, plane=(part == 0) | sill)
    assert 0 < sill.sum() < 50 and len(found.score) == 2
    of_owner = found.label[(part == ["floor", "box"].index(owner)) & ~sill]
    assert set(found.label[sill].tolist()) == set(of_owner.tolist()) and len(set(of_owner.tolist())) == 1


@pytest.mark.parametrize("known", [False, True])
def test_a_floor_and_the_walls_that_it_meets_are_three(known):
    (coord, offset, feat, voxel), part, _ = room(SMALL, LARGE)
    ground = coord[part == 0]
    low = ground[:, :2].min(0).values
    high = torch.stack([ground[:, 0], ground[:, 1] * 0, ground[:, 1] - low[1] + STEP], 1)[:, [1, 0, 2]]
    walls = [high + torch.tensor([low[0], 0, 0]), high[:, [1, 0, 2]] + torch.tensor([0, low[1], 0])]
    number = np.concatenate([np.where(part == 0, 1, 0), *(np.full(len(wall), 2 + i) for i, wall in enumerate(walls))])
    coord = torch.cat([coord, *walls])
    more = len(coord) - len(offset)
    scan = coord, torch.cat([offset, torch.zeros(more, 3)]), torch.cat([feat, feat[:1].expand(more, -1)]), voxel
    found = find_instances(*scan, plane=number if known else None)
    kinds = [np.bincount(found.label[number == n]).argmax() for n in (1, 2, 3)]
    assert len(set(kinds)) == 3 and found.stuff[kinds].all() and found.stuff.sum() == 3
    for n, kind in zip((1, 2, 3), kinds, strict=True):
        assert (found.label[number == n] == kind).mean() > 0.95
    assert same_partition(found.label[number == 0], np.concatenate([part[part > 0]]))

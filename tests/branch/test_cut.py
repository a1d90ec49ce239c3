import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointins_ext.branch.cut import (
    PairGraph,
    concavity,
    contacts,
    like_edges,
    pair_graph,
    regions,
    smooth_edges,
    turn_by_offsets,
)
from pointins_ext.ops import connected_components
from tests.fixtures.surfaces import OPEN_BELOW, box, floor, random_rotation, scene, without_hidden

STEP = 0.05
seeds = st.integers(0, 2**16)


def unit(generator, num_points):
    return torch.nn.functional.normalize(torch.randn(num_points, 3, generator=generator), dim=1)


def random_cloud(seed, num_points=60, num_groups=2):
    generator = torch.Generator().manual_seed(seed)
    coord, feat = torch.rand(num_points, 3, generator=generator), torch.randn(num_points, 4, generator=generator)
    group = torch.randint(num_groups, (num_points,), generator=generator)
    return coord, feat, unit(generator, num_points), group


def one_group(coord):
    return torch.zeros(len(coord), dtype=torch.long)


def surface_graph(coord, feat=None):
    feat = torch.ones(len(coord), 1) if feat is None else feat
    return pair_graph(coord, feat, one_group(coord), 1.75 * STEP)


def cut(graph, normal, share, concave):
    """Regions of the edges that are both of like features and smooth."""
    kept = like_edges(graph, share) & smooth_edges(graph, normal, concave)
    return regions(graph, kept, len(normal))


def turn(graph, normal, offset, share, reach):
    return turn_by_offsets(graph, like_edges(graph, share), normal, offset, reach)


def as_dict(graph, normal, number=None):
    """{(low, high): (affinity, concavity)} of the edges, of the points' own numbers."""
    number = torch.arange(10**4) if number is None else number
    ends = torch.stack([number[graph.source], number[graph.target]], 1).sort(1).values.tolist()
    values = zip(graph.affinity.tolist(), concavity(graph, normal).tolist(), strict=True)
    return {tuple(pair): value for pair, value in zip(ends, values, strict=True)}


def assert_same_edges(first, second, atol=2e-5):
    assert first.keys() == second.keys()
    np.testing.assert_allclose([first[e] for e in first], [second[e] for e in first], atol=atol)


# the graph
@settings(deadline=None, max_examples=25)
@given(seed=seeds, k=st.integers(1, 9), radius=st.sampled_from([0.1, 0.3, 2.0]))
def test_each_pair_of_neighbors_once_within_radius_and_group(seed, k, radius):
    coord, feat, normal, group = random_cloud(seed)
    graph = pair_graph(coord, feat, group, radius, k)
    distance = torch.cdist(coord.double(), coord.double())
    distance[group[:, None] != group] = np.inf
    distance.fill_diagonal_(np.inf)
    expected = set()
    for a in range(len(coord)):
        near = [b for b in distance[a].argsort()[:k].tolist() if distance[a, b] <= radius]
        expected |= {(min(a, b), max(a, b)) for b in near}
    assert len(graph.source) == len(expected) and as_dict(graph, normal).keys() == expected
    cosine = torch.nn.functional.cosine_similarity(feat[graph.source], feat[graph.target])
    torch.testing.assert_close(graph.affinity, cosine, atol=1e-5, rtol=0)
    step = coord[graph.source] - coord[graph.target]
    torch.testing.assert_close(graph.direction * step.norm(dim=1, keepdim=True), step)


@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_order_place_and_pose_do_not_matter(seed):
    coord, feat, normal, group = random_cloud(seed)
    plain = as_dict(pair_graph(coord, feat, group, 0.3), normal)
    order = torch.randperm(len(coord), generator=torch.Generator().manual_seed(seed))
    mixed = pair_graph(coord[order], feat[order], group[order], 0.3)
    assert_same_edges(as_dict(mixed, normal[order], order), plain)
    rotation = random_rotation(seed)
    moved = coord.double() @ rotation.T + torch.tensor([30.0, -7, 2])
    assert_same_edges(as_dict(pair_graph(moved, feat, group, 0.3), normal @ rotation.float().T), plain)
    assert_same_edges(as_dict(pair_graph(3 * coord, 5 * feat, group, 0.9), normal), plain)


@pytest.mark.parametrize("num_points", [0, 1, 12])
def test_no_point_a_single_point_and_copies_of_one(num_points):
    coord = torch.ones(num_points, 3)
    graph = pair_graph(coord, coord, one_group(coord), 0.1, k=3)
    assert (graph.source != graph.target).all() and (concavity(graph, coord) == 0).all()
    region = cut(graph, coord, 0.4, -0.1)
    assert len(region) == num_points and (num_points < 2 or len(graph.source) > 0)
    assert turn(graph, coord, coord, 0.4, 5.0).equal(coord)
    assert len(contacts(graph, torch.arange(num_points), coord).source) == len(graph.source)


# concavity
def test_the_edges_of_a_box_are_convex_and_concave_from_inside():
    coord, normal = box((0, 0, 0), (0.5, 0.4, 0.3), STEP)
    graph = surface_graph(coord)
    across = (normal[graph.source] * normal[graph.target]).sum(1) < 0.5
    assert across.any() and (concavity(graph, normal) == 0).all()
    inside = concavity(graph, -normal)
    assert (inside[across] < -0.5).all() and (inside[~across] == 0).all() and (inside >= -2).all()


def test_a_box_on_a_table_meets_it_in_a_groove():
    place = (0.5, 0.5, 0), (0.4, 0.4, 0.3)
    coord, normal, part = scene(without_hidden(floor(1.5, STEP), *place), box(*place, STEP, OPEN_BELOW))
    graph = surface_graph(coord)
    groove = part[graph.source] != part[graph.target]
    found = concavity(graph, normal)
    assert (found[~groove] == 0).all()
    assert (found[groove] < -0.5).float().mean() > 0.9  # not where the floor meets the box's corner edge on
    flipped = concavity(graph, -normal)
    assert (flipped[groove] == 0).all() and flipped.min() < -0.5  # the lid's rim from inside


@settings(deadline=None, max_examples=30)
@given(angle=st.floats(-3.0, 3.0))
@example(angle=0.2)
def test_concavity_of_a_fold(angle):
    """Two strips meet along y, both turned up at an angle: a valley below 0, a ridge above."""
    half = angle / 2
    coord = torch.tensor([[-np.cos(half), 0, np.sin(half)], [np.cos(half), 0, np.sin(half)]]).float()
    normal = torch.tensor([[np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]]).float()
    graph = pair_graph(coord, torch.ones(2, 1), one_group(coord), 3.0)
    expected = -2 * np.sin(half) if angle > 0 and np.cos(angle) <= 0.97 else 0.0
    assert concavity(graph, normal).item() == pytest.approx(expected, abs=1e-5)


# regions
@settings(deadline=None, max_examples=25)
@given(seed=seeds, share=st.sampled_from([0.0, 0.3, 0.9]), concave=st.sampled_from([-0.1, -3.0]))
def test_no_share_and_no_groove_keep_all_and_groups_stay_apart(seed, share, concave):
    coord, feat, normal, group = random_cloud(seed)
    graph = pair_graph(coord, feat, group, 0.3)
    region = cut(graph, normal, share, concave)
    assert region.unique().tolist() == list(range(int(region.max()) + 1))
    assert not set(region[group == 0].tolist()) & set(region[group == 1].tolist())
    whole = connected_components(graph.source, graph.target, len(coord))
    pairs = torch.unique(torch.stack([region, whole], 1), dim=0)
    assert len(pairs) == int(region.max()) + 1  # regions lie within what the graph connects
    assert (share, concave) != (0.0, -3.0) or torch.equal(region, whole)


def chain(affinity):
    """A path of E + 1 voxels."""
    affinity = torch.as_tensor(affinity, dtype=torch.float32)
    ends = torch.arange(len(affinity))
    return PairGraph(ends, ends + 1, torch.eye(3)[:1].expand(len(ends), 3), affinity)


def unlike(graph, share):
    """Numbers of the edges whose ends are not alike."""
    return (~like_edges(graph, share)).nonzero().flatten().tolist()


@settings(deadline=None, max_examples=60)
@given(order=st.integers(1, 30).flatmap(lambda n: st.permutations(range(n))), share=st.floats(0, 1))
def test_edges_below_the_quantile_go_whatever_the_scale_of_affinities(order, share):
    affinity = torch.tensor(order) / len(order)
    gone = max(1, round(share * len(order))) - 1
    expected = sorted(order.index(rank) for rank in range(gone))
    assert unlike(chain(affinity), share) == expected
    assert unlike(chain(0.99 + 0.01 * affinity**3), share) == expected
    assert unlike(chain([0.5] * 9), share) == []


@settings(deadline=None, max_examples=25)
@given(seed=seeds, concave=st.floats(-2, 0))
def test_smooth_is_what_is_no_deeper_groove(seed, concave):
    coord, feat, normal, group = random_cloud(seed)
    graph = pair_graph(coord, feat, group, 0.3)
    deep = concavity(graph, normal) < concave
    assert torch.equal(smooth_edges(graph, normal, concave), ~deep)


@settings(deadline=None, max_examples=25)
@given(kept=st.lists(st.booleans(), min_size=0, max_size=20))
def test_regions_end_where_an_edge_is_not_kept(kept):
    region = regions(chain([0.5] * len(kept)), torch.tensor(kept, dtype=torch.bool), len(kept) + 1)
    assert (region[1:] == region[:-1]).tolist() == kept


# surfaces turned by offsets
def patch(num_outward, length, size=10):
    """A level patch of size * size voxels: offsets of `num_outward` point up by `length`, all others down."""
    coord, normal = floor(size * STEP, STEP)
    sign = torch.where(torch.arange(len(coord)) < num_outward, 1.0, -1.0)
    return coord, normal, length * sign[:, None] * normal


@settings(deadline=None, max_examples=40)
@given(num_outward=st.sampled_from([0, 50, *range(85, 101)]), length=st.floats(0.01, 0.3))
@example(num_outward=100, length=0.05)
def test_a_surface_turns_where_its_offsets_agree_on_pointing_out(num_outward, length):
    coord, normal, offset = patch(num_outward, length)
    mean = length * (2 * num_outward - 100) / 100
    turned = turn(surface_graph(coord), normal, offset, 0.4, reach=0.1)
    if abs(mean - 0.1) > 1e-4 and num_outward != 90:  # more than a reach, and 80% that nothing cancels
        assert torch.equal(turned, -normal if mean > 0.1 and num_outward > 90 else normal)


def test_every_surface_turns_for_itself():
    """Seat and back rest have a center before both; the box beside them has its own inside."""
    seat, back = box((0, 0, 0), (0.5, 0.5, 0), STEP, [2]), box((0, 0, 0), (0, 0.5, 0.5), STEP, [0])
    coord, normal, part = scene(seat, back, box((0.55, 0, 0), (0.4, 0.4, 0.4), STEP))
    center = torch.tensor([[0.25, 0.25, 0.25], [0.25, 0.25, 0.25], [0.75, 0.2, 0.2]])
    graph = surface_graph(coord, torch.eye(2)[part // 2])
    turned = turn(graph, normal, center[part] - coord, 0.4, 0.1)
    assert torch.equal(turned, torch.where(part[:, None] < 2, -normal, normal))
    groove = (part[graph.source] + part[graph.target]) == 1
    assert (concavity(graph, normal)[groove] < -0.5).all() and (concavity(graph, turned)[groove] == 0).all()


@pytest.mark.parametrize("features, faces", [((0, 1), (2, 2)), ((0, 0), (2, 0))], ids=["features", "normals"])
def test_unlike_features_or_normals_part_two_surfaces(features, faces):
    corner = (0.5, 0, 0) if faces[1] == 2 else (0, 0, 0)
    second = box(corner, (0.5, 0.5, 0) if faces[1] == 2 else (0, 0.5, 0.5), STEP, faces[1:])
    coord, normal, part = scene(box((0, 0, 0), (0.5, 0.5, 0), STEP, faces[:1]), second)
    offset = torch.where(part[:, None] == 0, normal, -0.05 * normal)  # together they would point out clearly
    graph = surface_graph(coord, torch.eye(2)[torch.tensor(features)[part]] + torch.tensor([1.0, 0]))
    assert (part[graph.source] != part[graph.target]).any()
    few_edges = 2 * 30 / len(graph.source)  # over the border, at most 3 a voxel
    turned = turn(graph, normal, offset, few_edges, 0.1)
    assert torch.equal(turned, torch.where(part[:, None] == 0, -normal, normal))


# contacts
@settings(deadline=None, max_examples=30)
@given(seed=seeds, num_regions=st.integers(1, 6))
def test_contacts_are_sums_over_the_edges_between_two_regions(seed, num_regions):
    coord, feat, normal, group = random_cloud(seed, num_groups=1)
    graph = pair_graph(coord, feat, group, 0.5)
    region = torch.randint(num_regions, (len(coord),), generator=torch.Generator().manual_seed(seed))
    region = torch.unique(region, return_inverse=True)[1]
    mean = [normal[region == number].sum(0) / normal[region == number].sum(0).norm() for number in range(num_regions)]
    expected = {}
    for a, b, towards_a, affinity in zip(graph.source, graph.target, graph.direction, graph.affinity, strict=True):
        first, second = int(region[a]), int(region[b])
        if first == second:
            continue
        bend = min(0.0, float(towards_a @ (mean[first] - mean[second])))
        bend = 0.0 if mean[first] @ mean[second] > 0.97 else bend
        total = expected.setdefault((min(first, second), max(first, second)), np.zeros(3))
        total += [1, float(affinity), bend]
    contact = contacts(graph, region, normal)
    found = dict(zip(zip(contact.source.tolist(), contact.target.tolist(), strict=True), range(10**4), strict=False))
    assert found.keys() == expected.keys() and len(contact.edges) == len(expected)
    ours = torch.stack([contact.edges.float(), contact.affinity, contact.concavity], 1)
    for pair, row in found.items():
        np.testing.assert_allclose(ours[row], expected[pair], atol=1e-4)

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from pointins_ext.ops import neighbours
from pointins_ext.ops.neighbours import _candidates, _search_pairs

NUM_GROUPS = 3


def cloud(rng, size, snapped, shift, spread=1.0):
    coord = rng.uniform(0, spread, (size, 3)) + shift
    if snapped:  # many equal points and equal distances
        coord = np.round(coord * 2) / 2
    return torch.from_numpy(coord), torch.from_numpy(rng.integers(0, NUM_GROUPS, size))


def hashed(query, support, query_group, support_group, k, radius):
    radius = float("inf") if radius is None else radius
    if len(query) == 0 or len(support) == 0:
        return torch.full((len(query), k), -1)
    return _search_pairs(query.double(), support.double(), query_group, support_group, k, radius)


def sorted_distances(query, support, query_group, support_group, k, radius):
    """Brute force: distances of the k nearest (M, k), infinite where there is none. Ties need no order."""
    distance = np.linalg.norm(query[:, None].numpy() - support[None].numpy(), axis=2)
    distance[query_group[:, None].numpy() != support_group[None].numpy()] = np.inf
    distance[distance > (np.inf if radius is None else radius)] = np.inf
    return np.sort(np.pad(distance, ((0, 0), (0, k)), constant_values=np.inf), axis=1)[:, :k]


@pytest.mark.parametrize("search", [neighbours, hashed], ids=["tree", "hash"])
@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 9),
    st.sampled_from([None, 0.25, 0.5, 1.0]),
    st.booleans(),
    st.sampled_from([0.0, 5e6]),
)
def test_equals_brute_force(search, seed, num_query, num_support, k, radius, snapped, shift):
    rng = np.random.default_rng(seed)
    query, query_group = cloud(rng, num_query, snapped, shift)
    support, support_group = cloud(rng, num_support, snapped, shift)
    index = search(query, support, query_group, support_group, k, radius)
    found = index >= 0
    distance = (query[:, None] - support[index.clamp(min=0)]).norm(dim=2) if num_support else torch.zeros(index.shape)
    distance = torch.where(found, distance, torch.inf)
    expected = sorted_distances(query, support, query_group, support_group, k, radius)
    np.testing.assert_allclose(distance.numpy(), expected, rtol=1e-12)  # as near, and nearest first
    if num_support:
        assert (support_group[index.clamp(min=0)] == query_group[:, None])[found].all()
    assert all(len(set(row)) == len(row) for row in (r[r >= 0].tolist() for r in index))  # nobody twice


@pytest.mark.parametrize("radius", [None, 0.4])
def test_chunks_of_any_size_give_the_same_answer(monkeypatch, radius):
    rng = np.random.default_rng(0)
    (query, query_group), (support, support_group) = cloud(rng, 90, False, 0.0), cloud(rng, 70, False, 0.0)
    expected = neighbours(query, support, query_group, support_group, 4, radius)
    # `pointins_ext.ops.neighbours` is the function, so its module is reached through it
    for budget in (1, 100, 1 << 20):
        monkeypatch.setitem(_search_pairs.__globals__, "PAIRS", budget)
        assert torch.equal(hashed(query, support, query_group, support_group, 4, radius), expected)
    monkeypatch.setitem(_search_pairs.__globals__, "MANY_PAIRS", 1)  # the tree
    assert torch.equal(hashed(query, support, query_group, support_group, 4, radius), expected)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1), st.integers(0, 60), st.sampled_from([0.0, 5e6]), st.sampled_from([0.0, 1e-9, 0.1, 1e9])
)
def test_a_radius_of_any_size_bounds_the_hash(seed, size, shift, radius):
    rng = np.random.default_rng(seed)
    (query, query_group), (support, support_group) = (cloud(rng, size, True, shift) for _ in range(2))
    index = hashed(query, support, query_group, support_group, 3, torch.tensor(radius, dtype=torch.double))
    assert torch.equal(index >= 0, neighbours(query, support, query_group, support_group, 3, radius) >= 0)


@pytest.mark.parametrize("radius", [0.1, 0.2, 0.5])
def test_the_pairs_that_the_hash_compares_are_four_times_the_needed_ones_at_most(radius):
    """On surfaces: floor and walls of a room, ten points for each radius along the way."""
    rng = np.random.default_rng(0)
    number = int(25 / radius**2)
    u, v = rng.uniform(0, 20 * radius, (2, number))
    walls = [np.stack(axes, 1) for axes in ((u, v, 0 * u), (u, 0 * u, v), (0 * u, u, v))]
    coord = torch.from_numpy(np.concatenate(walls) + rng.normal(0, 0.02 * radius, (3 * number, 3)))
    group = torch.arange(len(coord)) % 2
    _, begin, end = _candidates(coord, coord, group, group, radius)
    needed = (torch.cdist(coord, coord) <= radius) & (group[:, None] == group)
    assert needed.sum() < (end - begin).sum() < 4 * needed.sum()


def test_cells_that_share_a_hash_are_told_apart(monkeypatch):
    """Here those of all groups; by chance it does not happen."""
    rng = np.random.default_rng(0)
    (query, query_group), (support, support_group) = (cloud(rng, 60, False, 0.0) for _ in range(2))
    expected = neighbours(query, support, query_group, support_group, 3, 0.4)
    monkeypatch.setitem(_search_pairs.__globals__, "HASH", (*_search_pairs.__globals__["HASH"][:2], 0))
    assert torch.equal(hashed(query, support, query_group, support_group, 3, 0.4), expected)


def test_without_a_radius_the_pairs_are_those_of_the_groups():
    coord, group = torch.rand(30, 3), torch.arange(30) % 3
    _, begin, end = _candidates(coord, coord, group, group, float("inf"))
    assert (end - begin).sum() == 3 * 10 * 10


def test_of_a_heap_of_equal_points_the_tree_holds_as_many_as_are_asked_for(monkeypatch):
    """Invalid returns of a sensor all lie at the origin. In one leaf of the tree their search is quadratic."""
    held = []

    def tree(points, **options):
        held.append(len(points))
        assert held == [4 + 1]  # here: a search among all of them takes minutes
        return cKDTree(points, **options)

    monkeypatch.setitem(_search_pairs.__globals__, "cKDTree", tree)
    coord = torch.cat([torch.zeros(80_000, 3), torch.tensor([[0.1, 0, 0]])])
    group = torch.zeros(len(coord), dtype=torch.long)
    index = neighbours(coord, coord, group, group, 4, 0.2)
    assert held and (index >= 0).all() and (coord[index[:-1]] == 0).all()
    assert index[-1, 0] == len(coord) - 1


def test_radius_is_inclusive_and_a_point_finds_itself():
    coord, group = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [1.5, 0, 0]]), torch.zeros(3, dtype=torch.long)
    assert neighbours(coord, coord, group, group, 3, 0.5).tolist() == [[0, 1, -1], [1, 0, -1], [2, -1, -1]]


def test_float32_coordinates_far_from_the_origin():
    coord = torch.tensor([[4e6, 5e6, 0.0], [4e6, 5e6, 0.5], [4e6, 5e6 + 0.5, 2.0]])
    group = torch.zeros(3, dtype=torch.long)
    assert neighbours(coord, coord, group, group, 2).tolist() == [[0, 1], [1, 0], [2, 1]]


def test_k_below_one_is_refused():
    coord, group = torch.zeros(1, 3), torch.zeros(1, dtype=torch.long)
    with pytest.raises(ValueError, match="k >= 1"):
        neighbours(coord, coord, group, group, 0)


def test_without_groups_all_points_are_of_one():
    rng = np.random.default_rng(0)
    (query, _), (support, _) = (cloud(rng, size, False, 0.0) for size in (30, 40))
    zeros = torch.zeros(30, dtype=torch.long), torch.zeros(40, dtype=torch.long)
    assert torch.equal(neighbours(query, support, None, None, 3, 0.3), neighbours(query, support, *zeros, 3, 0.3))

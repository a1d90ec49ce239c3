import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops import connected_components, neighbor_components, radius_components
from pointins_ext.ops.components import _label_torch
from tests.oracles.components import ball_components, graph_components

graphs = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
)


@pytest.mark.parametrize("label", [connected_components, _label_torch], ids=["scipy", "torch"])
@settings(deadline=None, max_examples=80)
@given(graphs)
def test_partition_equals_scipy_numbered_by_smallest_node(label, graph):
    num_nodes, edges = graph
    source, target = torch.tensor(edges, dtype=torch.long).view(-1, 2).T
    assert label(source, target, num_nodes).tolist() == graph_components(source.numpy(), target.numpy(), num_nodes)


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 30).flatmap(lambda n: st.lists(st.tuples(*[st.integers(-1, n - 1)] * 3), min_size=n, max_size=n)))
def test_a_table_of_neighbors_is_the_graph_of_its_entries(table):
    source, column = np.nonzero(np.array(table) >= 0)
    expected = graph_components(source, np.array(table)[source, column], len(table))
    assert neighbor_components(torch.tensor(table)).tolist() == expected


@pytest.mark.parametrize("label", [connected_components, _label_torch], ids=["scipy", "torch"])
def test_a_long_shuffled_path_is_one_component(label):
    path = torch.randperm(2000, generator=torch.Generator().manual_seed(0))
    assert label(path[:-1], path[1:], 2001).tolist() == [0] * 2000 + [1]


def test_no_node_and_no_edge():
    nothing = torch.empty(0, dtype=torch.long)
    assert connected_components(nothing, nothing, 0).tolist() == []
    assert connected_components(nothing, nothing, 3).tolist() == [0, 1, 2]
    assert radius_components(torch.empty(0, 3), 0.1).tolist() == []


def draw_cloud(rng, kind, size):
    if kind == "collapsed":  # a few spots, nearly or exactly coincident points
        spots = rng.uniform(-1, 1, (5, 3))[rng.integers(0, 5, size)]
        return spots + rng.normal(0, rng.choice([0, 1e-3, 0.05]), (size, 3))
    coord = rng.uniform(-1, 1, (size, 3))
    if kind == "line":
        return coord[:, :1] * rng.normal(size=3)
    if kind == "grid":  # distances of exactly one radius
        return np.round(coord * 4) / 4
    if kind == "sheets":  # dense, parallel, close to one radius apart
        coord[:, 2] = rng.integers(0, 3, size) * 0.26
        coord[:, :2] *= 0.4
    return coord


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["random", "collapsed", "line", "grid", "sheets"]),
    st.integers(1, 120),
    st.sampled_from([0.05, 0.25, 0.5, 3.0]),
    st.sampled_from([0.0, 5e6, -1e3]),
    st.integers(1, 3),
)
def test_ball_graph_is_exact(seed, kind, size, radius, shift, num_groups):
    rng = np.random.default_rng(seed)
    coord, group = draw_cloud(rng, kind, size) + shift, rng.integers(0, num_groups, size) * 7
    label = radius_components(torch.from_numpy(coord), radius, torch.from_numpy(group))
    assert label.tolist() == ball_components(coord, radius, group)


@pytest.mark.parametrize("length, joined", [(0.999, True), (1.001, False)])
def test_the_radius_is_sharp_in_every_direction_and_place(length, joined):
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(3000, 3, generator=generator) * 10
    step = torch.randn(3000, 3, generator=generator)
    step[::2] = step[::2].sign() + 0.2 * step[1::2]  # half of them near a cell's diagonal
    step = torch.nn.functional.normalize(step, dim=1)
    pair = torch.arange(3000)  # every pair of points is a group
    label = radius_components(torch.cat([start, start + length * step]), 1.0, torch.cat([pair, pair]))
    assert torch.equal(label[3000:], pair if joined else pair + 3000)


def test_cells_that_only_touch_by_one_pair_are_joined():
    """Two dense cells whose representatives are too far apart: only the exact test sees the one short edge."""
    left = np.column_stack([np.linspace(0.03, 0.05, 50), np.zeros(50), np.zeros(50)])
    right = left + [0.115, 0, 0]
    coord = torch.from_numpy(np.concatenate([left, right]))
    assert radius_components(coord, 0.1).max() == 0
    assert radius_components(coord, 0.09).max() == 1


def test_strays_light_years_away_do_no_harm():
    coord = torch.cat([torch.rand(100, 3), torch.tensor([[1e30, 0, 0], [1e30, 0, 0], [0, -1e30, 1e30]])])
    assert radius_components(coord, 0.5).tolist() == [0] * 100 + [1, 1, 2]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="radius > 0"):
        radius_components(torch.zeros(2, 3), 0.0)
    with pytest.raises(ValueError, match="NaN"):
        radius_components(torch.full((2, 3), float("nan")), 0.1)

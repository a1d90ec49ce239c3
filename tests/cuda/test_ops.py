"""The operators give on a GPU what they give on the CPU."""

from functools import partial

import pytest
import torch

from pointins_ext import ops
from pointins_ext.ops.neighbours import _search_pairs
from pointins_ext.ops.subm_conv import SubMConv3d, kernel_map
from pointins_ext.ops.voxels import sorted_runs, voxel_key

GENERATOR = torch.Generator().manual_seed(0)
N, GROUPS = 300, 4
COORD = torch.rand(N, 3, generator=GENERATOR)
FEAT = torch.randn(N, 8, generator=GENERATOR)
GROUP = torch.randint(0, GROUPS - 1, (N,), generator=GENERATOR)  # the last one is empty
EDGE = torch.randint(0, N, (2, 150), generator=GENERATOR)

CALLS = dict(
    segment_count=lambda to: ops.segment_count(to(GROUP), GROUPS),
    segment_sum=lambda to: ops.segment_sum(to(FEAT), to(GROUP), GROUPS),
    segment_mean=lambda to: ops.segment_mean(to(FEAT), to(GROUP), GROUPS),
    segment_max=lambda to: ops.segment_max(to(FEAT), to(GROUP), GROUPS),
    segment_rank=lambda to: ops.segment_rank(to(FEAT[:, 0].round()), to(GROUP), GROUPS),
    sorted_runs=lambda to: sorted_runs(voxel_key(to(COORD * 8).int(), to(GROUP))[0]),
    neighbours_radius=lambda to: ops.neighbours(to(COORD), to(COORD), to(GROUP), to(GROUP), 6, 0.2),
    neighbours_nearest=lambda to: ops.neighbours(to(COORD + 0.01), to(COORD), to(GROUP), to(GROUP), 3),
    components=lambda to: ops.connected_components(*to(EDGE), N),
    neighbor_components=lambda to: ops.neighbor_components(
        ops.neighbours(to(COORD), to(COORD), to(GROUP), to(GROUP), 3, 0.1)
    ),
    radius_components=lambda to: ops.radius_components(to(COORD), 0.1, to(GROUP)),
    join_nearest=lambda to: ops.join_nearest(to(torch.where(GROUP > 1, -1, GROUP)), to(COORD), to(GROUP * 0), 0.2),
    kmeans=lambda to: ops.kmeans(to(FEAT), to(GROUP), 4, torch.Generator().manual_seed(1), normalize=True),
    normals=lambda to: ops.smooth_normals(to(COORD), ops.estimate_normals(to(COORD))),
    orient_normals=lambda to: ops.orient_normals(to(COORD), to(torch.nn.functional.normalize(FEAT[:, :3], dim=1))),
    planes=lambda to: ops.plane_points(to(COORD * torch.tensor([4.0, 4.0, 0.02])), num_samples=200, num_hypotheses=16),
)


@pytest.mark.parametrize("name", CALLS)
def test_equals_the_cpu(name, device):
    results = [CALLS[name](lambda tensor, place=place: tensor.to(place)) for place in ("cpu", device)]
    for expected, found in zip(*(value if isinstance(value, tuple) else (value,) for value in results), strict=True):
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected)


def test_a_table_of_neighbors_asks_a_gpu_twice(waits_of, device):
    coord, group = COORD.to(device), GROUP.to(device)
    radius = torch.tensor(0.2).to(device)
    assert waits_of(lambda: ops.neighbours(coord, coord, group, group, 6, radius)) <= 2


def test_no_operator_of_a_reduction_asks(waits_of, device):
    value, group = FEAT.to(device), GROUP.to(device)
    for reduce in (ops.segment_sum, ops.segment_mean, ops.segment_max):
        assert waits_of(lambda reduce=reduce: reduce(value, group, GROUPS)) == 0
    assert waits_of(lambda: ops.segment_rank(value[:, 0], group, GROUPS)) == 0


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_kernel_map_asks_three_times_and_convolves_as_on_the_cpu(kernel_size, waits_of, device):
    results = []
    for place in ("cpu", device):
        torch.manual_seed(0)
        grid, group, maps = (COORD * 6).int().to(place), GROUP.to(place), []
        look = partial(kernel_map, grid, group, kernel_size)
        assert waits_of(lambda maps=maps, look=look: maps.append(look())) <= 3
        layer = SubMConv3d(8, 8, kernel_size).to(place)
        output = layer(FEAT.to(place), maps[0])
        output.square().sum().backward()
        results.append((output.cpu(), layer.weight.grad.cpu()))
    torch.testing.assert_close(results[1], results[0])


def test_neighbors_of_collapsed_points_are_looked_for_on_the_cpu(monkeypatch, device):
    """Where pairs would be too many: thousands of offsets that end on one spot."""
    monkeypatch.setitem(_search_pairs.__globals__, "MANY_PAIRS", 9_999)
    monkeypatch.setitem(_search_pairs.__globals__, "_pairs", None)
    coord = torch.zeros(100, 3, device=device)
    index = ops.neighbours(coord, coord, None, None, 4, 0.1)
    assert index.is_cuda and index.shape == (100, 4) and (index >= 0).all()

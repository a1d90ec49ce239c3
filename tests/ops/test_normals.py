import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops import estimate_normals, orient_normals, smooth_normals
from tests.fixtures.surfaces import OPEN_BELOW, box, floor, scene, without_hidden
from tests.oracles import orient_normals as oracle

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))


def random_rotation(rng):
    return torch.from_numpy(np.linalg.qr(rng.normal(size=(3, 3)))[0])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5e6]))
def test_a_plane_has_its_own_normal(seed, shift):
    rng = np.random.default_rng(seed)
    rotation = random_rotation(rng)
    flat = torch.from_numpy(rng.uniform(-1, 1, (60, 3))) * torch.tensor([1, 1, 0])
    normal = estimate_normals(flat @ rotation.T + shift)
    expected = rotation[:, 2] * rotation[2, 2].sign()  # upwards
    torch.testing.assert_close(normal, expected.expand(60, 3), atol=1e-5, rtol=0)


def test_normals_turn_with_the_cloud():
    rng = np.random.default_rng(0)
    coord, rotation = torch.from_numpy(rng.normal(size=(80, 3))), random_rotation(rng)
    viewpoint = torch.tensor([9.0, 2.0, 1.0], dtype=torch.float64)
    turned = estimate_normals(coord @ rotation.T, viewpoint=rotation @ viewpoint)
    torch.testing.assert_close(turned, estimate_normals(coord, viewpoint=viewpoint) @ rotation.T)


def test_a_sphere_seen_from_inside_and_from_above():
    coord = torch.nn.functional.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    inwards = estimate_normals(coord, viewpoint=[0, 0, 0])
    assert inwards.dtype == torch.float32
    torch.testing.assert_close(inwards.norm(dim=1), torch.ones(2000))
    assert (-(inwards * coord).sum(1) > 0.98).all()
    assert (estimate_normals(coord)[:, 2] >= 0).all()


def test_normals_of_some_points_are_those_that_they_have_among_all():
    coord = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    where = coord[:, 0] > 0.3
    for viewpoint in (None, [1.0, 2.0, 3.0]):
        some = estimate_normals(coord, viewpoint=viewpoint, where=where)
        assert torch.equal(some, estimate_normals(coord, viewpoint=viewpoint)[where])
    assert estimate_normals(coord, where=torch.zeros(300, dtype=torch.bool)).shape == (0, 3)


@pytest.mark.parametrize("coord", [torch.zeros(0, 3), torch.ones(1, 3), torch.ones(30, 3)])
def test_without_a_surface_the_normal_is_up(coord):
    assert torch.equal(estimate_normals(coord), torch.tensor([0.0, 0, 1]).expand(len(coord), 3))


def test_fewer_points_than_neighbors():
    triangle = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(estimate_normals(triangle).abs(), torch.tensor([1.0, 0, 0]).expand(3, 3))
    few = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(estimate_normals(few, k=16), estimate_normals(few, k=6))


def test_real_table_is_flat_and_faces_the_camera():
    path = DATA / "mosd" / "learn0.npz"
    if not path.is_file():
        pytest.skip(f"real scans not found at {path}; set POINTINS_TEST_DATA")
    scan = np.load(path)
    coord, label = torch.from_numpy(scan["coord_t_e4"].T / 1e4), torch.from_numpy(scan["label"].astype(np.int64))
    table = label < 20
    axis = torch.linalg.eigh(torch.cov(coord[table].T))[1][:, 0]
    normal = estimate_normals(coord, k=32, viewpoint=[0, 0, 0])  # the camera is the origin
    assert (-(normal * coord).sum(1) >= 0).all()
    assert ((normal[table] @ axis).abs() > 0.9).double().mean() > 0.9


def random_signs(normal, seed):
    sign = torch.randint(0, 2, (len(normal), 1), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return sign * normal


def unit(num_points, seed):
    return torch.nn.functional.normalize(
        torch.randn(num_points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )


def two_boxes_on_a_floor(step=0.05):
    placed = [((0.5, 0.5, 0), (0.4, 0.4, 0.3)), ((1.2, 1.2, 0), (0.5, 0.3, 0.5))]
    ground = floor(2.0, step)
    for place in placed:
        ground = without_hidden(ground, *place)
    return scene(ground, *[box(*place, step, OPEN_BELOW) for place in placed])[:2]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 8), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3))
def test_turned_as_by_a_slow_forest(seed, k, sizes):
    coord = torch.rand(sum(sizes), 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    coord = coord + 100 * torch.repeat_interleave(torch.tensor(sizes))[:, None]
    normal = unit(len(coord), seed + 1)
    expected = oracle.orient_normals(coord.numpy(), normal.numpy(), k, level=0.8)
    assert torch.equal(orient_normals(coord, normal, k), torch.from_numpy(expected))


@pytest.mark.parametrize("seed", range(4))
def test_random_signs_on_a_floor_with_boxes_turn_up_and_outwards(seed):
    coord, outward = two_boxes_on_a_floor()
    turned = orient_normals(coord, random_signs(estimate_normals(coord), seed))
    assert ((turned * outward).sum(1) > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_box_or_dome_whose_underside_is_not_seen_faces_outwards(seed):
    coord, outward = box((0, 0, 0), (0.5, 0.4, 0.3), 0.05, OPEN_BELOW)
    assert ((orient_normals(coord, random_signs(estimate_normals(coord), seed)) * outward).sum(1) > 0).all()
    sphere = unit(1000, seed)
    dome = sphere[sphere[:, 2] > -0.7]
    torch.testing.assert_close(orient_normals(dome, random_signs(dome, seed)), dome)


@pytest.mark.parametrize("seed", range(4))
def test_a_closed_surface_faces_one_side(seed):
    sphere = unit(1000, seed)
    coord, outward = box((0, 0, 0), (0.5, 0.4, 0.3), 0.05)
    for place, normal, out in ((sphere, sphere, sphere), (coord, estimate_normals(coord), outward)):
        side = (orient_normals(place, random_signs(normal, seed)) * out).sum(1)
        assert (side > 0).all() or (side < 0).all()


def test_parts_far_apart_are_turned_each_for_itself():
    coord, normal = two_boxes_on_a_floor()
    normal = random_signs(estimate_normals(coord), 0)
    alone = orient_normals(coord, normal)
    both = orient_normals(torch.cat([coord, coord + 100]), torch.cat([normal, -normal]))
    assert torch.equal(both[: len(coord)], alone) and torch.equal(both[len(coord) :], alone)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**16))
def test_signs_and_order_that_come_in_do_not_matter(seed):
    coord, _ = two_boxes_on_a_floor(0.1)
    coord = coord + 0.01 * torch.rand(coord.shape, generator=torch.Generator().manual_seed(seed))
    normal = estimate_normals(coord)
    order = torch.randperm(len(coord), generator=torch.Generator().manual_seed(seed))
    turned = orient_normals(coord, normal)
    assert torch.equal(orient_normals(coord, random_signs(normal, seed)), turned)
    assert torch.equal(orient_normals(coord[order], normal[order]), turned[order])


@pytest.mark.parametrize("num_points", [0, 1, 2, 30])
def test_no_point_a_single_point_and_duplicates(num_points):
    coord, down = torch.ones(num_points, 3), torch.tensor([0.0, 0, -1]).expand(num_points, 3)
    turned = orient_normals(coord, random_signs(down, 0))
    assert torch.equal(turned, -down) and turned.dtype == torch.float32
    assert torch.equal(smooth_normals(coord, down), down)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 12), num_points=st.integers(1, 40))
def test_smooth_normals_are_means_of_the_nearest(seed, k, num_points):
    coord = torch.rand(num_points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    normal = unit(num_points, seed)
    nearest = torch.cdist(coord, coord).argsort(1)[:, :k]
    expected = torch.stack([normal[rows].sum(0) / normal[rows].sum(0).norm() for rows in nearest])
    torch.testing.assert_close(smooth_normals(coord, normal, k), expected)

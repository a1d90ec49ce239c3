import os
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.ops import largest_plane, plane_numbers, plane_points

DATA = Path(os.environ.get("POINTINS_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))


def rectangle(rng, corner, first, second, density=400):
    corner, first, second = (np.array(vector, float) for vector in (corner, first, second))
    area = np.linalg.norm(first) * np.linalg.norm(second)
    place = rng.uniform(size=(int(area * density), 2))
    return corner + place[:, :1] * first + place[:, 1:] * second


def box(rng, low, size):
    """The five faces of a box that stand free of the floor, without a bottom."""
    x, y, z = np.diag(size)
    low = np.array(low, float)
    faces = [(low, x, z), (low + y, x, z), (low, y, z), (low + x, y, z), (low + z, x, y)]
    return np.concatenate([rectangle(rng, *face) for face in faces])


def furnished_room(seed=0):
    """A room of 3 m with two walls, a wardrobe of 1.2 m x 2 m before one of them, a bed and a box: coord, is_object."""
    rng = np.random.default_rng(seed)
    shell = [
        ([0, 0, 0], [3, 0, 0], [0, 3, 0]),
        ([0, 0, 0], [3, 0, 0], [0, 0, 2.4]),
        ([0, 0, 0], [0, 3, 0], [0, 0, 2.4]),
    ]
    stuff = np.concatenate([rectangle(rng, *face) for face in shell])
    things = np.concatenate(
        [box(rng, *b) for b in [([1, 0.1, 0], [1.2, 0.6, 2]), ([1, 1.5, 0], [2, 1.2, 0.5]), ([0.3, 0.5, 0], [0.4] * 3)]]
    )
    coord = np.concatenate([stuff, things]) + rng.normal(0, 0.003, (len(stuff) + len(things), 3))
    return torch.from_numpy(coord).float(), torch.arange(len(coord)) >= len(stuff)


@pytest.mark.parametrize("seed", range(3))
def test_floor_and_walls_go_and_furniture_stays(seed):
    coord, thing = furnished_room(seed)
    mask = plane_points(coord)
    assert mask[~thing].double().mean() > 0.98
    assert mask[thing].double().mean() < 0.05  # the lowest 2 cm of what stands on the floor


def test_planes_are_numbered_from_the_largest_and_every_face_has_one():
    coord, thing = furnished_room()
    number = plane_numbers(coord)
    assert torch.equal(number > 0, plane_points(coord))
    count = torch.bincount(number)[1:]
    assert len(count) >= 3 and count[0] == count.max() and count.min() > 0
    for number_of_one in range(1, len(count) + 1):
        own = coord[number == number_of_one]
        assert torch.linalg.svdvals(own - own.mean(0))[-1] / len(own) ** 0.5 < 0.02


def test_the_rule_about_what_lies_behind_saves_the_wardrobe():
    coord, thing = furnished_room()
    front = thing & ((coord[:, 1] - 0.7).abs() < 0.02) & (coord[:, 2] > 0.1)
    assert plane_points(coord)[front].double().mean() < 0.02
    assert plane_points(coord, max_behind=1.0, min_extent=(1.5, 0.8))[front].double().mean() > 0.9


def test_the_top_of_a_tall_cabinet_is_too_short():
    """Nothing lies above it and it holds 7 % of the points: only its size tells it from a wall."""
    rng = np.random.default_rng(0)
    coord = np.concatenate([rectangle(rng, [0, 0, 0], [3, 0, 0], [0, 3, 0]), box(rng, [1, 1, 0], [1.35, 0.9, 1.5])])
    coord = torch.from_numpy(coord + rng.normal(0, 0.003, coord.shape))
    top = (coord[:, 2] - 1.5).abs() < 0.02
    assert top.double().mean() > 0.06
    assert not plane_points(coord)[top].any()
    assert plane_points(coord, min_extent=(1.0, 0.5))[top].double().mean() > 0.9


@pytest.mark.parametrize("shift", [[0, 0, 0], [5e4, -2e4, 300]])
def test_the_frame_does_not_matter(shift):
    coord, thing = furnished_room()
    rotation = torch.from_numpy(np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0])
    mask = plane_points(coord.double() @ rotation.T + torch.tensor(shift, dtype=torch.float64))
    assert mask[~thing].double().mean() > 0.98
    assert mask[thing].double().mean() < 0.05


def test_same_seed_same_planes():
    coord, _ = furnished_room()
    assert torch.equal(plane_points(coord, seed=3), plane_points(coord, seed=3))


def test_objects_without_a_plane_are_left_alone():
    generator = torch.Generator().manual_seed(0)
    ball = torch.nn.functional.normalize(torch.randn(3000, 3, generator=generator), dim=1)
    assert not plane_points(ball).any()
    assert not plane_points(torch.rand(3000, 3, generator=generator)).any()


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])
def test_next_to_nothing(number):
    assert plane_points(torch.zeros(number, 3)).shape == (number,)


def test_golden_slab():
    """Of a floor and points 1 m above it, exactly the floor goes."""
    grid = torch.cartesian_prod(torch.arange(0, 4, 0.05), torch.arange(0, 4, 0.05))
    floor = torch.column_stack([grid, torch.zeros(len(grid))])
    above = torch.column_stack([torch.rand(200, 2, generator=torch.Generator().manual_seed(0)), torch.ones(200)])
    assert plane_points(torch.cat([floor, above])).sum() == len(floor)


@pytest.mark.parametrize("name, scale", [("learn0", 1), ("learn12", 5)])
def test_real_table_tops(name, scale):
    """learn12: a plane through the heap loses 40 % of the objects where normals do not vote."""
    path = DATA / "mosd" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"real scans not found at {path}; set POINTINS_TEST_DATA")
    scan = np.load(path)
    coord, thing = torch.from_numpy(scan["coord_t_e4"].T / 1e4) * scale, torch.from_numpy(scan["label"] >= 20)
    mask = plane_points(coord)
    assert mask[~thing].double().mean() > 0.98
    assert mask[thing].double().mean() < 0.04


def test_the_largest_plane():
    rng = np.random.default_rng(0)
    normal = np.array([1, 2, 2]) / 3
    coord = np.concatenate([rng.uniform(-1, 1, (3000, 3)), rng.uniform(-1, 1, (900, 3))])
    coord[:3000] -= (coord[:3000] @ normal - 0.5)[:, None] * normal
    found, level, on_plane = largest_plane(torch.from_numpy(coord), 0.01)
    sign = np.sign(float(found @ torch.from_numpy(normal)))
    np.testing.assert_allclose(sign * found.numpy(), normal, atol=1e-3)
    assert float(sign * level) == pytest.approx(0.5, abs=1e-3) and on_plane[:3000].double().mean() > 0.9

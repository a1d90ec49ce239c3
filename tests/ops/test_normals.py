import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops import estimate_normals

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

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import recover_affine, transform_vectors


def rotation(seed):
    """Random orthogonal matrix of either determinant, float64."""
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return q


def about_z(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def cloud(num_points, seed=0, spread=(1.0, 1.0, 1.0)):
    points = torch.randn(num_points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return points * torch.tensor(spread, dtype=torch.float64)


def one_view(coord):
    return torch.zeros(len(coord), dtype=torch.long)


def recover(view, scene):
    return recover_affine(view.float(), scene.float(), one_view(view), 1)


# transform a scene and its offsets, recover the map from the points, turn the offsets back: identical
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.5, 2.0), flip=st.booleans(), shift=st.floats(-20, 20))
def test_offsets_come_back_to_the_scene_frame(seed, scale, flip, shift):
    scene, offset = cloud(50, seed), cloud(50, seed + 1)
    to_view = scale * rotation(seed)
    if flip:
        to_view = to_view @ torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))
    view, view_offset = scene @ to_view.T + shift, offset @ to_view.T

    affine = recover(view, scene)
    back = transform_vectors(affine.matrix, view_offset.float(), one_view(scene))
    torch.testing.assert_close(back, offset.float(), atol=5e-5, rtol=1e-5)
    origin = view.float() @ affine.matrix[0].T + affine.shift[0]
    torch.testing.assert_close(origin, scene.float(), atol=2e-4, rtol=1e-4)
    assert affine.residual[0] < 1e-4


def test_every_view_has_its_own_map_and_empty_views_are_finite():
    scene = cloud(90)
    group = torch.arange(90) % 3
    group[group == 2] = 3  # view 2 of 5 is empty, so is the last
    maps = torch.stack([about_z(30), 0.9 * about_z(-75), torch.eye(3, dtype=torch.float64), -about_z(10)])
    view = transform_vectors(maps, scene, group)
    affine = recover_affine(view.float(), scene.float(), group, 5)
    for number in (0, 1, 3):
        torch.testing.assert_close(affine.matrix[number], maps[number].inverse().float(), atol=1e-4, rtol=1e-4)
    assert all(torch.isfinite(part).all() for part in affine)


def test_voxel_means_give_the_same_map():
    scene = cloud(600)
    to_view = 1.1 * about_z(40) @ torch.diag(torch.tensor([1.0, -1, 1], dtype=torch.float64))
    view = scene @ to_view.T + 0.7
    _, voxel = (view / 0.5).floor().unique(dim=0, return_inverse=True)
    means = [torch.stack([points[voxel == v].mean(0) for v in range(voxel.max() + 1)]) for points in (view, scene)]
    affine = recover(*means)
    torch.testing.assert_close(affine.matrix[0], to_view.inverse().float(), atol=1e-5, rtol=1e-5)
    assert affine.residual[0] < 1e-5


@pytest.mark.parametrize("spread", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.5), (1.0, 0.0, 0.0)], ids=["floor", "wall", "line"])
@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 180])
def test_flat_views_are_exact_within_their_plane_and_tame_across_it(spread, degrees):
    scene = cloud(200, spread=spread)
    to_view = 0.95 * about_z(degrees)
    affine = recover(scene @ to_view.T + 3.0, scene)
    offset = cloud(20, seed=1, spread=spread)
    back = transform_vectors(affine.matrix, (offset @ to_view.T).float(), one_view(offset))
    torch.testing.assert_close(back, offset.float(), atol=1e-3, rtol=1e-3)
    assert torch.linalg.matrix_norm(affine.matrix[0], 2) < 1.2  # nothing is blown up
    assert torch.linalg.svdvals(affine.matrix[0]).min() > 0.8  # nor flattened


@pytest.mark.parametrize("num_points", [1, 2])
@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_one_and_two_points_are_well_posed(num_points, degrees):
    scene = torch.tensor([[1.0, 2.0, 0.5], [1.4, 2.0, 0.5]], dtype=torch.float64)[:num_points]
    affine = recover(scene @ about_z(degrees).T, scene)
    assert torch.linalg.matrix_norm(affine.matrix[0], 2) < 1.1
    back = (scene @ about_z(degrees).T).float() @ affine.matrix[0].T + affine.shift[0]
    torch.testing.assert_close(back, scene.float(), atol=1e-3, rtol=1e-3)


def test_a_single_point_keeps_offsets_as_they_are():
    point = torch.tensor([[1.0, 2.0, 3.0]])
    torch.testing.assert_close(recover(point + 5, point).matrix[0], torch.eye(3))


def test_jitter_adds_no_bias():
    scene = cloud(20000, spread=(1.0, 1.0, 0.01))  # thin: jitter of half its thickness would shrink a plain regression
    jitter = 0.005 * torch.randn(scene.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    affine = recover(scene @ about_z(60).T + jitter, scene)
    torch.testing.assert_close(affine.matrix[0], about_z(-60).float(), atol=0.03, rtol=0)
    assert 0.005 < affine.residual[0] < 0.012


def test_a_nonlinear_map_leaves_a_large_residual():
    scene = cloud(500)
    bent = scene + 0.2 * torch.sin(4 * scene.roll(1, dims=1))
    assert recover(bent, scene).residual[0] > 0.1
    assert recover(scene @ about_z(20).T, scene).residual[0] < 1e-5


def test_far_from_the_origin():
    scene = cloud(5000)
    to_view = 1.05 * about_z(77)
    affine = recover(scene @ to_view.T, scene + 1000)
    torch.testing.assert_close(affine.matrix[0], to_view.inverse().float(), atol=3e-6, rtol=0)
    origin = (scene @ to_view.T).float() @ affine.matrix[0].T + affine.shift[0]
    torch.testing.assert_close(origin, (scene + 1000).float(), atol=1e-3, rtol=0)

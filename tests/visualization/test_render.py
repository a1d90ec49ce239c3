"""Renderer: the nearest point wins, colors are kept, instance colors are stable."""

import numpy as np
import pytest

from pointins_ext.visualization import Camera, instance_colors, match_colors, render_points

WHITE = np.array([255, 255, 255])


def test_one_point_shows_its_exact_color_in_the_middle():
    image = render_points(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 200.0, 30.0]]), size=(31, 41), point_size=3)
    assert image.shape == (31, 41, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[15, 20], [10, 200, 30])
    painted = (image != WHITE).any(axis=2)
    assert 9 <= painted.sum() <= 36 and len(np.unique(image[painted], axis=0)) == 1


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_nearest_point_wins_whatever_the_order(order):
    coord = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])[order]
    color = np.array([[255.0, 0.0, 0.0], [0.0, 0.0, 255.0]])[order]
    camera = Camera.fit(coord, (21, 21), azimuth=0, elevation=0)
    image = render_points(coord, color, camera=camera)
    np.testing.assert_array_equal(image[10, 10], [0, 0, 255])


def test_camera_axes_are_a_rotation_and_the_scene_fits():
    rng = np.random.default_rng(0)
    coord = rng.normal(size=(500, 3)) * (4, 1, 2)
    for azimuth, elevation in ((0, 0), (45, 35), (200, 80)):
        camera = Camera.fit(coord, (90, 160), azimuth, elevation)
        np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.axes) == pytest.approx(1.0)
        position, _ = camera.project(coord)
        assert (position >= 0).all() and (position <= (160, 90)).all()


def test_up_is_up_and_the_viewer_sees_x_when_it_looks_from_there():
    camera = Camera.fit(np.zeros((1, 3)), (100, 100), azimuth=0, elevation=20)
    (start, high, near), distance = camera.project(np.array([[0, 0, 0], [0, 0, 1e-6], [1e-6, 0, 0]]))
    assert high[1] < start[1]
    assert distance[2] < distance[0]
    assert near[0] == pytest.approx(start[0])


def test_gaps_of_a_surface_are_closed():
    rng = np.random.default_rng(0)
    coord = np.column_stack([rng.uniform(0, 1, (4000, 2)), np.zeros(4000)])
    image = render_points(coord, np.full((4000, 3), 80.0), size=(100, 100), azimuth=0, elevation=90, point_size=3)
    assert (image[20:80, 20:80] != WHITE).any(axis=2).all()


def test_depth_steps_are_darkened_on_the_far_side_only():
    x, y = np.meshgrid(np.linspace(-1, 1, 120), np.linspace(-1, 1, 120))
    z = np.where(x > 0, 1.0, 0.0)
    coord = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    image = render_points(coord, np.full((len(coord), 3), 200.0), (100, 100), azimuth=-90, elevation=90, point_size=3)
    row = image[50, :, 0].astype(int)
    edge = row[30:70].argmin() + 30
    assert row[edge] < 150 and row[20] == row[80] == 200 and row[edge + 8] == 200


def test_empty_cloud_is_background():
    image = render_points(np.zeros((0, 3)), np.zeros((0, 3)), size=(4, 5), background=(1, 2, 3))
    np.testing.assert_array_equal(image, np.broadcast_to([1, 2, 3], (4, 5, 3)))


def test_colors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        render_points(np.zeros((3, 3)), np.zeros((2, 3)))


def test_instance_colors_are_stable_distinct_and_gray_for_none():
    ids = np.arange(-1, 60)
    colors = instance_colors(ids)
    assert colors.dtype == np.uint8 and len(np.unique(colors, axis=0)) == len(ids)
    np.testing.assert_array_equal(instance_colors([5, -1, 5]), colors[[6, 0, 6]])
    gray = instance_colors([-1, -7])
    assert (gray == gray[0, 0]).all()
    first = colors[1:13].astype(float)
    apart = np.linalg.norm(first[:, None] - first[None], axis=2) + 1e3 * np.eye(12)
    assert apart.min() > 60
    np.testing.assert_array_equal(colors[1], [230, 25, 75])


def test_matched_ids_follow_the_largest_overlap():
    truth = np.array([0, 0, 0, 1, 1, 1, -1, -1])
    predicted = np.array([9, 9, 9, 4, 4, 7, 7, -1])
    np.testing.assert_array_equal(match_colors(predicted, truth), [0, 0, 0, 1, 1, 3, 3, -1])
    np.testing.assert_array_equal(match_colors(predicted, np.full(8, -1)), [2, 2, 2, 0, 0, 1, 1, -1])
    np.testing.assert_array_equal(match_colors(np.full(8, -1), truth), np.full(8, -1))

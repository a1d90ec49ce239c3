"""Rays: nothing is passed through, each finds the nearest surface, echoes fade."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic import drive_layout, drive_lidar
from tests.fixtures.tiny_drives import REACH, depth


def shot(seed, sensor="vlp32", columns=180):
    """A street, the sensor's pose and what `cast` gives for it."""
    rng = np.random.default_rng(seed)
    items = drive_layout.street(rng, REACH)
    pose = drive_lidar.draw_pose(rng, -drive_layout.LANE / 2, 1.8)
    azimuth = (np.arange(columns) + rng.random()) * 2 * np.pi / columns - np.pi
    parts = [part for item in items for part in item.parts]
    return parts, pose, (drive_lidar.SENSORS[sensor].elevations, azimuth)


def test_no_ray_passes_through_anything():
    parts, pose, beams = shot(2)
    distance, owner, _ = drive_lidar.cast(parts, pose, *beams)
    ray = drive_lidar.rays(*beams) @ pose.turn.T
    some = np.random.default_rng(0).choice(distance.size, 25, replace=False)
    for index in some:
        end, direction = distance.flat[index], ray.reshape(-1, 3)[index]
        free = pose.place + np.arange(0.0, min(end, REACH), 0.05)[:, None] * direction
        assert min(depth(part, free).min() for part in parts) > -1e-9
        if np.isfinite(end):
            assert abs(depth(parts[owner.flat[index]], pose.place[None] + end * direction)) < 1e-9
    assert len(np.unique(owner.flat[some])) > 8


def test_narrowed_rays_find_the_same_as_all_rays(monkeypatch):
    parts, pose, beams = shot(3)
    narrow = drive_lidar.cast(parts, pose, *beams)
    columns = drive_lidar._columns(parts, pose, beams[1])
    assert sum(map(len, columns)) < 0.1 * len(parts) * len(beams[1])  # a tenth of the work
    monkeypatch.setattr(drive_lidar, "_columns", lambda parts, pose, azimuth: [np.arange(len(azimuth))] * len(parts))
    for found, expected in zip(narrow, drive_lidar.cast(parts, pose, *beams), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_cosine_is_that_of_the_surface_normal():
    parts, pose, beams = shot(4)
    distance, owner, cosine = drive_lidar.cast(parts, pose, *beams)
    ray = (drive_lidar.rays(*beams) @ pose.turn.T)[owner >= 0]
    coord, number, step = pose.place + ray * distance[owner >= 0][:, None], owner[owner >= 0], 1e-6
    found = []
    for i in np.unique(number):
        level = [depth(parts[i], coord[number == i] + step * axis) for axis in (*np.eye(3), np.zeros(3))]
        normal = (np.stack(level[:3]) - level[3]).T
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        found.append(np.abs((normal * ray[number == i]).sum(axis=1)) - cosine[owner >= 0][number == i])
    assert (np.abs(np.concatenate(found)) < 1e-2).mean() > 0.99  # all but edges


def test_noise_is_bounded_and_weak_echoes_are_lost():
    rng, many = np.random.default_rng(0), np.ones(20_000)

    def seen(**changes):
        arguments = dict(distance=30.0, cosine=0.5, albedo=0.3, rough=0.02) | changes
        arguments = {key: value * many for key, value in arguments.items()}
        return drive_lidar.measure(**arguments, max_range=60.0, dropout=0.1, rng=rng)

    distance, strength, kept = seen()
    assert np.abs(distance - 30).max() <= 0.06 + 1e-9 and distance.std() == pytest.approx(0.02, rel=0.05)
    assert strength.mean() == pytest.approx(0.3 * 0.625, rel=0.01) and kept.mean() == pytest.approx(0.9, abs=0.01)
    shares = [seen(**c)[2].mean() for c in ({}, dict(cosine=0.0), dict(cosine=0.0, distance=50.0), dict(distance=61.0))]
    assert shares == sorted(shares, reverse=True) and shares[-1] == 0
    assert seen(cosine=1.0)[1].mean() > 2 * seen(cosine=0.1)[1].mean()

"""A sweep: repeatable, on the surfaces of its objects, with labels that agree."""

import numpy as np
import pytest

from pointins_ext.datasets.drives import CLASS_NAMES, THINGS, generate_drive
from pointins_ext.datasets.synthetic import drive_generator, drive_layout, drive_lidar
from tests.fixtures.tiny_drives import NUM_DRIVES, REACH, SMALL, depth

ARRAYS = ("coord", "strength", "segment", "instance")


def on_surface(item, coord):
    """Distance (N,) to the nearest surface of the parts of an item."""
    return np.min([np.abs(depth(part, coord)) for part in item.parts], axis=0)


def test_same_seed_gives_the_same_sweep(drives):
    again = generate_drive(3)
    for key in ARRAYS:
        np.testing.assert_array_equal(again[key], drives[3][key])
    assert again["name"] == drives[3]["name"] == "drive_3"
    assert len({len(scene["coord"]) for scene in drives}) == NUM_DRIVES


def test_types_ranges_and_the_height_of_the_ground(drives):
    for scene in drives:
        assert {key: scene[key].dtype for key in ARRAYS} == dict(coord="f4", strength="f4", segment="i4", instance="i4")
        assert scene["strength"].shape == (len(scene["coord"]), 1)
        assert 0 <= scene["strength"].min() and scene["strength"].max() <= 1
        assert np.linalg.norm(scene["coord"], axis=1).max() < REACH
        near = np.hypot(scene["coord"][:, 0], scene["coord"][:, 1]) < 10
        road = scene["coord"][near & (scene["segment"] == 0)]
        assert abs(road[:, 2].mean() + 1.84) < 0.1 and road[:, 2].std() < 0.15


def test_labels_agree(drives):
    for scene in drives:
        np.testing.assert_array_equal(scene["instance"] >= 0, np.isin(scene["segment"], THINGS))
        count = np.bincount(scene["instance"][scene["instance"] >= 0])
        assert count.min() >= 5
        pairs = np.unique(np.stack([scene["instance"], scene["segment"]])[:, scene["instance"] >= 0], axis=1)
        assert pairs.shape[1] == len(count)  # one class an instance
        assert 0 < (scene["segment"] == -1).sum() < 0.01 * len(scene["segment"])


def test_objects_with_few_points_are_void_but_there(drives):
    scene, strict = drives[0], generate_drive(0, min_points=100)
    np.testing.assert_array_equal(strict["coord"], scene["coord"])
    count = np.bincount(scene["instance"][scene["instance"] >= 0])
    assert strict["instance"].max() + 1 == (count >= 100).sum() > 0
    lost = (scene["instance"] >= 0) & (strict["instance"] < 0)
    assert lost.any() and (strict["segment"][lost] == -1).all()
    assert (generate_drive(0, min_points=1)["segment"] >= 0).all()


@pytest.mark.parametrize("sensor", ["hdl32", "vlp32"])
def test_points_lie_on_the_surface_of_their_object(sensor, monkeypatch):
    monkeypatch.setattr(drive_generator, "ROUGH", {})
    scene = generate_drive(1, sensor=sensor, columns=240, noise=0.0, min_points=1)
    rng = np.random.default_rng(1)
    items = drive_layout.street(rng, REACH)
    pose = drive_lidar.draw_pose(rng, -drive_layout.LANE / 2, drive_lidar.SENSORS[sensor].height)
    coord = scene["coord"].astype(float) @ pose.turn.T + pose.place
    for segment, name in enumerate(CLASS_NAMES):
        own, of_class = scene["segment"] == segment, [item for item in items if item.name == name]
        if own.any() and segment not in THINGS:
            assert np.min([on_surface(item, coord[own]) for item in of_class], axis=0).max() < 1e-4
        for i in np.unique(scene["instance"][own]) if segment in THINGS else ():
            points = coord[scene["instance"] == i]
            assert min(on_surface(item, points).max() for item in of_class) < 1e-4  # all on one object


def test_points_lie_on_beams_and_columns(drives):
    elevations = drive_lidar.SENSORS["hdl32"].elevations
    for scene in drives[:3]:
        x, y, z = scene["coord"].astype(float).T
        off = np.degrees(np.arctan2(z, np.hypot(x, y)))[:, None] - elevations
        assert np.abs(off).min(axis=1).max() < 1e-3
        column = np.degrees(np.arctan2(y, x)) / 0.5
        column -= np.median(column % 1)
        assert np.abs(column - np.round(column)).max() < 1e-2
        ray = np.stack([np.abs(off).argmin(axis=1), np.round(column) % 720])
        assert np.unique(ray, axis=1).shape[1] == len(x)


def test_what_a_class_has_of_the_points(drives):
    share = np.mean(
        [np.bincount(s["segment"][s["segment"] >= 0], minlength=10) / len(s["coord"]) for s in drives], axis=0
    )
    share = dict(zip(CLASS_NAMES, share, strict=True))
    assert 0.2 < share["road"] < 0.5 and 0.1 < share["car"] < 0.4 and 0.05 < share["building"] < 0.3
    assert min(share.values()) > 0.001
    assert all(8 < scene["instance"].max() < 80 for scene in drives)


def test_sizes(drives):
    assert 15_000 < min(len(s["coord"]) for s in drives) and max(len(s["coord"]) for s in drives) < 25_000
    number = [len(generate_drive(0, sensor=s, columns=360)["coord"]) for s in ("hdl64", "vlp32", "sparse16")]
    assert number == sorted(number, reverse=True) and number[0] > 1.5 * number[1]
    assert len(generate_drive(0, **SMALL)["coord"]) < 16 * 90


def test_unknown_sensor_is_refused():
    with pytest.raises(ValueError, match="hdl32, vlp32"):
        generate_drive(0, sensor="hdl46")


def test_golden_sweep(drives):
    scene = drives[0]
    assert len(scene["coord"]) == pytest.approx(19040, abs=3) and scene["instance"].max() == 21
    np.testing.assert_allclose(scene["coord"].mean(axis=0), (0.135, -0.436, -1.039), atol=0.01)

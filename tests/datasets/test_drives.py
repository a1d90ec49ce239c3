"""Simulated sweeps: repeatable, on the surfaces of their objects, nothing seen through anything, labels that agree."""

import time

import numpy as np
import pytest

from pointins_ext.datasets.drives import CLASS_NAMES, THINGS, SyntheticDrivesDataset, generate_drive
from pointins_ext.datasets.synthetic import drive_generator, drive_layout, drive_lidar, room_layout
from pointins_ext.datasets.synthetic.room_shapes import bounds, rotation

ARRAYS = ("coord", "strength", "segment", "instance")
SMALL = dict(sensor="sparse16", columns=90)
NUM_DRIVES = 8
REACH = 60.0


@pytest.fixture(scope="module")
def drives():
    return [generate_drive(seed) for seed in range(NUM_DRIVES)]


@pytest.fixture(scope="module")
def streets():
    return [drive_layout.street(np.random.default_rng(seed), REACH) for seed in range(NUM_DRIVES)]


def depth(part, coord):
    """Signed distance (N,) to the surface of a part, negative inside; between centre and point for spheroids."""
    half, local = part.size / 2, coord - part.center
    local = np.column_stack([local[:, :2] @ rotation(part.yaw), local[:, 2]])
    if part.kind == "plane":
        return local[:, 2]
    if part.kind == "spheroid":
        scale = np.linalg.norm(local / half, axis=1)
        return np.linalg.norm(local, axis=1) * (1 - 1 / np.maximum(scale, 1e-9))
    if part.kind == "box":
        over = np.abs(local) - half
    else:
        over = np.column_stack([np.hypot(local[:, 0], local[:, 1]) - half[0], np.abs(local[:, 2]) - half[2]])
    return np.linalg.norm(np.maximum(over, 0), axis=1) + np.minimum(over.max(axis=1), 0)


def on_surface(item, coord):
    """Distance (N,) to the nearest surface of the parts of an item."""
    return np.min([np.abs(depth(part, coord)) for part in item.parts], axis=0)


def shot(seed, sensor="vlp32", columns=180):
    """A street, the sensor's pose and what `cast` gives for it."""
    rng = np.random.default_rng(seed)
    items = drive_layout.street(rng, REACH)
    pose = drive_lidar.draw_pose(rng, -drive_layout.LANE / 2, 1.8)
    azimuth = (np.arange(columns) + rng.random()) * 2 * np.pi / columns - np.pi
    parts = [part for item in items for part in item.parts]
    return parts, pose, (drive_lidar.SENSORS[sensor].elevations, azimuth)


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


def test_sizes_and_time(drives):
    assert 15_000 < min(len(s["coord"]) for s in drives) and max(len(s["coord"]) for s in drives) < 25_000
    number = [len(generate_drive(0, sensor=s, columns=360)["coord"]) for s in ("hdl64", "vlp32", "sparse16")]
    assert number == sorted(number, reverse=True) and number[0] > 1.5 * number[1]
    assert len(generate_drive(0, **SMALL)["coord"]) < 16 * 90
    start = time.process_time()
    generate_drive(0)
    assert time.process_time() - start < 0.5


def test_things_stand_apart_some_of_them_close(streets):
    gaps = []
    for items in streets:
        things = [item for item in items if CLASS_NAMES.index(item.name) in THINGS]
        shapes = [room_layout.outline(item.parts) for item in things]
        low, high = (np.stack(b)[:, :2] for b in zip(*(bounds(item.parts) for item in things), strict=True))
        near = (low[:, None] < high + 1.5).all(axis=2)
        for a, b in np.argwhere(np.triu(near & near.T, 1)):
            gap = room_layout.separation(shapes[a], shapes[b])[0].max(axis=2).min()
            gaps.append((gap, things[a].name == things[b].name == "car"))
    gap, cars = np.array(gaps).T
    assert gap.min() > 0.03
    assert 50 < (gap[cars == 1] < 1.01).sum() and gap[cars == 1].min() > 0.29
    assert (gap[cars == 0] < 0.5).sum() > 50


def test_the_sensors_own_place_is_free(streets):
    for items in streets:
        corner = np.stack([bounds(item.parts) for item in items if CLASS_NAMES.index(item.name) in THINGS])[..., :2]
        ahead = (corner[:, 0, 0] < drive_layout.EGO - 1) & (corner[:, 1, 0] > 1 - drive_layout.EGO)
        assert not (ahead & (corner[:, 0, 1] < 0) & (corner[:, 1, 1] > -drive_layout.LANE)).any()


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


def test_unknown_sensor_is_refused():
    with pytest.raises(ValueError, match="hdl32, vlp32"):
        generate_drive(0, sensor="hdl46")


def test_splits_are_disjoint_and_repeatable():
    options = dict(num_scenes=2, cache=False, drive=SMALL)
    train, val = (SyntheticDrivesDataset(split, **options) for split in ("train", "val"))
    sweeps = [dataset.get_data(i) for dataset in (train, val) for i in range(2)]
    assert len({len(sweep["coord"]) for sweep in sweeps}) == 4
    assert [sweep["name"] for sweep in sweeps] == [f"drive_{s}_0_000{i}" for s in ("train", "val") for i in range(2)]
    assert [sweep["split"] for sweep in sweeps] == ["train", "train", "val", "val"]
    longer = SyntheticDrivesDataset(["val", "train"], num_scenes=3, drive=SMALL)
    np.testing.assert_array_equal(longer.get_data(0)["coord"], sweeps[2]["coord"])
    np.testing.assert_array_equal(longer.get_data(4)["coord"], sweeps[1]["coord"])
    with pytest.raises(ValueError, match="SyntheticDrivesDataset knows train, val, test"):
        SyntheticDrivesDataset(split="trian", num_scenes=1)


def test_golden_sweep(drives):
    scene = drives[0]
    assert len(scene["coord"]) == pytest.approx(19040, abs=3) and scene["instance"].max() == 21
    np.testing.assert_allclose(scene["coord"].mean(axis=0), (0.135, -0.436, -1.039), atol=0.01)

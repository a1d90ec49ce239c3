from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.beams import LAYOUTS, BeamAugmentation, BeamLayout
from pointins_ext.host import Compose

DATA = Path(__file__).parents[3] / "shared/data"
KITTI = DATA / "semantickitti/sequences/00/velodyne/000000.bin"
AV2 = DATA / "av2/adcf_315973157959879000.npz"


def angles(coord):
    """Elevation and azimuth in degrees."""
    elevation = np.degrees(np.arctan2(coord[:, 2], np.hypot(coord[:, 0], coord[:, 1])))
    return elevation, np.degrees(np.arctan2(coord[:, 1], coord[:, 0]))


BEAMS = np.linspace(-24, 2, 64)


def sweep(elevations=BEAMS, resolution=0.5, seed=0):
    """Returns (N,3) float32 of a spinning sensor at the origin, one for each ray, ranges between 3 and 60 meters."""
    generator = np.random.default_rng(seed)
    azimuth = np.radians(np.arange(-180, 180, resolution) + 0.13)
    elevation, azimuth = (grid.ravel() for grid in np.meshgrid(np.radians(elevations), azimuth, indexing="ij"))
    unit = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=1
    )
    coord = unit * generator.uniform(3, 60, (len(unit), 1))
    return coord[generator.permutation(len(coord))].astype(np.float32)


def augmented(coord, seed=0, **options):
    """Indices of the points that stay."""
    np.random.seed(seed)
    scene = BeamAugmentation(p=1.0, **options)(dict(coord=coord, row=np.arange(len(coord))))
    np.testing.assert_array_equal(scene["coord"], coord[scene["row"]])
    return scene["row"]


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_what_stays_is_a_subset_near_the_target_beams(name):
    coord = sweep()
    index = augmented(coord, sensors=[name])
    assert 100 < len(index) < len(coord) and np.all(np.diff(index) > 0)
    elevation = angles(coord[index])[0]
    above = np.abs(elevation[:, None] - LAYOUTS[name].elevations)
    assert above.min(axis=1).max() <= 0.25 + 1e-4
    seen = LAYOUTS[name].elevations[(LAYOUTS[name].elevations > -24.2) & (LAYOUTS[name].elevations < 2.2)]
    assert abs(elevation.min() - seen[0]) <= 0.25 + 1e-4 and abs(elevation.max() - seen[-1]) <= 0.25 + 1e-4
    # one return for each ray
    ray = above.argmin(axis=1), np.round(angles(coord[index])[1] / LAYOUTS[name].resolution)
    assert len(set(zip(*ray, strict=True))) == len(index)


def test_every_ray_keeps_its_nearest_return():
    layout = BeamLayout.evenly(8, (-20, 0), 2.0, 1.7)
    coord = sweep(elevations=np.linspace(-22, 1, 40), resolution=0.7)
    index = augmented(coord, sensors=[dict(beams=8, fov=(-20, 0), resolution=2.0, height=1.7)], tolerance=0.5)
    elevation, azimuth = angles(coord.astype(np.float64))
    expected = []
    for beam in layout.elevations:
        for column in np.arange(0, 360, 2.0):
            aside = (azimuth - column + 180) % 360 - 180
            own = np.flatnonzero((np.abs(elevation - beam) <= 0.5) & (np.abs(aside) <= 1.0))
            if len(own):
                distance = np.hypot(elevation - beam, aside * np.cos(np.radians(elevation)))[own]
                expected.append(own[distance.argmin()])
    np.testing.assert_array_equal(index, np.sort(expected))


def test_the_sensor_that_took_the_sweep_changes_nothing():
    elevations = np.linspace(-24, 2, 27)
    coord = sweep(elevations, resolution=1.0)
    index = augmented(coord, sensors=[dict(beams=27, fov=(-24, 2), resolution=1.0, height=1.7)])
    assert len(index) == len(coord)


def test_fewer_beams_and_columns_are_fewer_points():
    coord = sweep()
    number = [
        len(augmented(coord, sensors=[dict(beams=beams, fov=(-24, 2), resolution=resolution, height=1.7)]))
        for beams, resolution in ((64, 0.5), (32, 0.5), (16, 0.5), (16, 1.0))
    ]
    assert number == sorted(number, reverse=True) and number[3] * 6 < number[0]


def test_a_higher_sensor_looks_down_on_the_same_points():
    coord = sweep()
    options = dict(sensors=[dict(beams=32, fov=(-24, 2), resolution=0.5, height=2.7)], sensor_height=1.7)
    moved = augmented(coord, **options)
    elevation = angles(coord[moved] - [0, 0, 1.0])[0]
    assert np.abs(elevation[:, None] - np.linspace(-24, 2, 32)).min(axis=1).max() <= 0.25 + 1e-4
    # a sweep in another frame, whose sensor is told
    place = np.array([1.4, 0.2, 1.7], np.float32)
    again = augmented(coord + place, sensor_position=place, **options)
    assert len(np.setxor1d(moved, again)) < 0.001 * len(moved)


def test_sectors_have_different_layouts():
    coord = sweep()
    few = dict(beams=5, fov=(-20, 0), resolution=1.0, height=1.7)
    sizes = set()
    for seed in range(20):
        index = augmented(coord, seed=seed, mode="polarmix", sensors=[few])
        azimuth = np.sort(angles(coord[index])[1])
        share = np.bincount(((azimuth + 180) // 5).astype(int), minlength=72) / (64 * 10)
        whole, thin = (share > 0.99).sum(), (share < 0.1).sum()
        assert whole + thin >= 69 and 0 < len(index) < len(coord)  # two sectors, and where they meet
        sizes.add(len(index))
    assert len(sizes) > 10
    assert len(augmented(coord, mode="polarmix")) < len(coord)


def test_every_array_of_the_sweep_follows_and_nothing_else():
    coord = sweep()
    origin = coord[:, [1, 0, 2]].copy()
    scene = dict(
        coord=2 * coord,
        origin_coord=origin,
        strength=origin[:, :1] * 3,
        segment=np.arange(len(coord)),
        offset=np.array([7]),
        name="a",
        index_valid_keys=["coord"],
        grid_size=0.05,
        center=np.zeros(3),
    )
    given = dict(scene)
    result = BeamAugmentation(["HDL-32E"], p=1.0)(scene)
    index = result["segment"]
    np.testing.assert_array_equal(index, augmented(origin, sensors=["HDL-32E"]))  # angles are those of origin_coord
    np.testing.assert_array_equal(result["coord"], 2 * coord[index])
    np.testing.assert_array_equal(result["strength"], origin[index, :1] * 3)
    assert all(result[key] is given[key] for key in ("offset", "name", "index_valid_keys", "grid_size", "center"))
    assert len(given["coord"]) == len(coord)


def test_probability_and_seed():
    coord = sweep(resolution=2.0)
    np.random.seed(0)
    number = [len(BeamAugmentation(p=0.3)(dict(coord=coord))["coord"]) for _ in range(200)]
    assert 35 < sum(n < len(coord) for n in number) < 85
    assert len(set(number)) == 5  # as it is, and the four layouts
    first, second = (augmented(coord, seed=5, mode="polarmix") for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_sweep_that_no_ray_meets_stays():
    coord = np.array([[0.1, 0.0, 5.0], [0.0, 0.1, 6.0]], np.float32)  # overhead
    assert len(augmented(coord, sensors=["VLP-32C"])) == 2


def test_inside_a_view_generator():
    coord = sweep()
    views = dict(
        type="MultiViewGenerator",
        view_keys=("coord", "origin_coord", "strength"),
        local_view_num=0,
        global_view_scale=(1.0, 1.0),
        global_transform=[
            dict(type="BeamAugmentation", sensors=["VLP-32C"], p=1.0),
            dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=1.0),
        ],
    )
    scene = dict(coord=coord, origin_coord=coord.copy(), strength=coord[:, :1].copy())
    result = Compose([views])(scene)
    assert result["global_offset"][-1] == len(result["global_coord"]) < len(coord)
    np.testing.assert_array_equal(result["global_origin_coord"][:, :1], result["global_strength"])


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(mode="double"), "mode is 'double', expected 'single' or 'polarmix'"),
        (dict(sensors=["VLP-16"]), "'VLP-16' is unknown; expected one of VLP-32C, HDL-64E"),
        (dict(sensors=[]), "sensors is empty"),
        (dict(sensors=[dict(beams=0, fov=(0, 1), resolution=1, height=1)]), "beams=0"),
        (dict(sensors=[dict(beams=4, fov=(1, 0), resolution=1, height=1)]), r"fov=\(1, 0\)"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        BeamAugmentation(**options)


def test_layouts_are_those_of_the_data_sheets():
    found = {name: (len(lay.elevations), lay.elevations[0], lay.elevations[-1]) for name, lay in LAYOUTS.items()}
    assert found == {
        "VLP-32C": (32, -25, 15),
        "HDL-64E": (64, -24.33, 2),
        "HDL-32E": (32, -30.67, 10.67),
        "Waymo-64": (64, -17.6, 2.4),
    }
    assert all((np.diff(layout.elevations) > 0).all() for layout in LAYOUTS.values())


@pytest.mark.skipif(not KITTI.exists(), reason=f"no SemanticKITTI sweep at {KITTI}")
def test_a_64_beam_sweep_thins_to_that_of_32_beams():
    coord = np.fromfile(KITTI, np.float32).reshape(-1, 4)[:, :3]
    index = augmented(coord, sensors=["HDL-32E"], sensor_height=1.73)
    # 20 of its beams look where the source looked, each 1091 columns
    assert 10_000 < len(index) < 22_000
    elevation, azimuth = angles(coord[index] - [0, 0, 0.11])
    assert len(np.unique(np.abs(elevation[:, None] - LAYOUTS["HDL-32E"].elevations).argmin(axis=1))) >= 19
    assert len(np.unique(np.round(azimuth / 0.33))) > 1000


@pytest.mark.skipif(not AV2.exists(), reason=f"no Argoverse 2 sweep at {AV2}")
def test_instances_of_a_sweep_in_the_vehicle_frame_ride_along():
    with np.load(AV2) as file:
        coord, instance = file["coord_t"].T.copy(), file["instance"].copy()
    scene = dict(coord=coord, instance=instance)
    result = BeamAugmentation(["Waymo-64"], p=1.0, sensor_position=(1.35, 0, 1.64))(dict(scene))
    kept = {tuple(row): owner for row, owner in zip(coord, instance, strict=True)}
    assert 10_000 < len(result["coord"]) < len(coord)
    assert all(kept[tuple(row)] == owner for row, owner in zip(result["coord"], result["instance"], strict=True))
    assert len(np.unique(result["instance"])) > 0.7 * len(np.unique(instance))

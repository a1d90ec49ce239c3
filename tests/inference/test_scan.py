import numpy as np
import pytest
import torch

import pointins_ext
from pointins_ext.errors import ScanWarning
from pointins_ext.inference import Predictor
from tests.fixtures.tiny_pointins import GRID
from tests.fixtures.tiny_predictor import trained


def test_segment_gives_ids_and_centers(checkpoint, scene):
    args = dict(color=scene["color"], normal=scene["normal"], weight=checkpoint, min_points=20)
    label, center = pointins_ext.segment(scene["coord"], **args)
    assert label.shape == (len(scene["coord"]),) and center.shape == (label.max() + 1, 3)
    for number in range(len(center)):
        np.testing.assert_allclose(center[number], scene["coord"][label == number].mean(0), atol=1e-4)
    again, _ = pointins_ext.segment(scene["coord"].tolist(), **args)
    assert np.array_equal(label, again)


def test_arrays_are_read_as_files_are(predictor, scene):
    """Colors of 0..1, normals of zeros and points without coordinates, as Open3D and depth cameras give them."""
    args = dict(weight=predictor, min_points=20)
    whole = {key: scene[key] for key in ("coord", "color", "normal")}
    label, center = pointins_ext.segment(**whole, **args)
    with pytest.warns(ScanWarning, match="segment: colors up to .* taken for 0..1"):
        unit = pointins_ext.segment(**whole | dict(color=scene["color"] / 255), **args)
    assert np.array_equal(unit[0], label)

    estimated, _ = pointins_ext.segment(**whole | dict(normal=None), **args)
    with pytest.warns(ScanWarning, match="segment: normal is 0 at all points"):
        zeros = pointins_ext.segment(**whole | dict(normal=scene["normal"] * 0), **args)
    assert np.array_equal(zeros[0], estimated)

    missing = np.zeros(len(label) + 99, bool)
    missing[4:814:9] = missing[-9:] = True
    arrays = {key: np.full((len(missing), 3), np.nan, np.float32) for key in whole}
    for key, value in arrays.items():
        value[~missing] = whole[key]
    with pytest.warns(ScanWarning, match=f"segment: {missing.sum()} of {len(missing)} points have NaN"):
        holes, holes_center = pointins_ext.segment(**arrays, **args)
    assert (holes[missing] == -1).all() and np.array_equal(holes[~missing], label)
    np.testing.assert_allclose(holes_center, center, atol=1e-5)


def test_normals_are_estimated_where_a_point_has_none(predictor, scene):
    some = scene["normal"].copy()
    some[::2] = 0
    kept, coord = torch.arange(len(some)), torch.from_numpy(scene["coord"])
    channel = predictor._channel("normal", dict(normal=some), kept, coord)
    assert channel.norm(dim=1).numpy() == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(channel[1::2], some[1::2])


def test_nothing_found_is_no_instance_and_is_said(predictor, scene):
    with pytest.warns(ScanWarning, match="segment: 0 instances: of the .* voxels of 0.05 m no 1000000 are joined"):
        label, center = pointins_ext.segment(scene["coord"], weight=predictor, min_points=10**6)
    assert (label == -1).all() and center.shape == (0, 3)


SMALL = dict(
    ten=np.random.default_rng(0).random((10, 3)) * 0.2,
    one_place=np.ones((100, 3)),
    copies=np.repeat([[1.0, 2.0, 3.0]], 100_000, axis=0),
    one_voxel=np.random.default_rng(0).random((500, 3)) * 0.04,
    line=np.linspace(0, 5, 500)[:, None] * [1, 0, 0],
    plane=np.random.default_rng(0).random((3000, 3)) * [3, 3, 0],
    two_places=np.repeat([[0.0, 0, 0], [30, 30, 30]], 50, axis=0),
    far=np.random.default_rng(0).random((3000, 3)) * [3, 3, 0] + 1e8,
)


@pytest.mark.parametrize("min_points", [0, 1, 50])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("ignore::pointins_ext.errors.ScanWarning")
def test_the_smallest_scans(predictor, name, min_points):
    coord = SMALL[name]
    label, center = pointins_ext.segment(coord, weight=predictor, min_points=min_points)
    assert label.shape == (len(coord),) and set(np.unique(label)) - {-1} == set(range(len(center)))
    low, high = coord.min(axis=0) - 1e-3, coord.max(axis=0) + 1e-3
    assert ((center >= low) & (center <= high)).all()


def test_another_unit_or_axis_is_said(predictor, scene):
    with pytest.raises(ValueError, match="segment: its points lie .* in millimeters.*--grid-size, grid_size="):
        pointins_ext.segment(scene["coord"] * 100, weight=predictor)
    with pytest.raises(ValueError, match="segment: the points spread over .* divide coordinates in millimeters by"):
        pointins_ext.segment(scene["coord"] * 2000, weight=predictor)
    with pytest.warns(ScanWarning, match=r"segment: -z, upside down, looks like the up axis.*coord \* \[1, -1, -1\]"):
        pointins_ext.segment(scene["coord"] * [1, -1, -1], weight=predictor, min_points=10)


def test_map_coordinates_keep_their_digits(cfg, scene):
    predictor = Predictor.from_config(trained(cfg, offset_std=0.0).teacher, cfg)
    corner = np.array([512_000.0, 5_400_000.0, 300.0])
    args = dict(weight=predictor, radius=2 * GRID, min_points=30)
    label, center = pointins_ext.segment(scene["coord"] + corner, **args)
    near_label, near_center = pointins_ext.segment(scene["coord"], **args)
    assert np.array_equal(label, near_label) and len(center) == 4
    np.testing.assert_allclose(center, near_center + corner, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(coord=np.zeros((50, 2))), r"coord has shape \(50, 2\), expected \(N, 3\)"),
        (dict(coord=np.zeros((3, 3))), "3 points, expected at least 10"),
        (dict(coord=np.full((50, 3), np.nan)), "50 of 50 points have NaN or Inf in coord"),
        (dict(color=np.zeros((7, 3))), "color has 7 rows"),
    ],
)
def test_unusable_scans_are_named(predictor, change, message):
    arguments = dict(coord=np.random.default_rng(0).random((50, 3)), weight=predictor) | change
    with pytest.raises(ValueError, match=message):
        pointins_ext.segment(**arguments)

from dataclasses import replace

import numpy as np
import torch

from pointins_ext.branch import GraphRule
from pointins_ext.evaluation import evaluate_label_free
from pointins_ext.inference import Predictor
from pointins_ext.instances import MIN_VOXELS, find_instances
from tests.fixtures.tiny_pointins import GRID
from tests.fixtures.tiny_predictor import trained


def test_every_raw_point_gets_the_offset_and_label_of_its_voxel(predictor, scene):
    prediction = predictor(scene)
    distance = np.linalg.norm(scene["coord"] - prediction.coord[prediction.nearest], axis=1)
    assert prediction.nearest.shape == (len(scene["coord"]),) and distance.max() < GRID * 3**0.5
    assert len(np.unique(np.floor(prediction.coord / GRID), axis=0)) == len(prediction.coord)
    assert np.isin(prediction.coord, scene["coord"]).all()
    label = prediction.instances(min_points=10)
    assert label.shape == (len(scene["coord"]),) and label.max() >= 0
    assert set(np.unique(label)) - {-1} == set(range(label.max() + 1))
    assert torch.equal(prediction.raw_offset(), torch.from_numpy(prediction.offset[prediction.nearest]))
    assert prediction.feat.shape == (len(prediction.coord), 16) and prediction.voxel == GRID


def test_zero_offsets_through_the_network_are_plain_geometry(cfg, scene):
    """The boxes stand apart, so untrained features and no offsets leave each whole, and the floor is a plane."""
    estimated = {key: value for key, value in scene.items() if key != "normal"}  # those of the scene are random
    prediction = Predictor.from_config(trained(cfg, offset_std=0.0).teacher, cfg)(estimated)
    assert not prediction.offset.any() and prediction.normal is None
    for radius in (None, 2 * GRID):
        found = prediction.find(radius, 30)
        assert found.stuff.sum() == 1 and len(found.score) == 4
        scores = _score(scene, prediction.instances(radius, min_points=30))
        assert scores["map"] == scores["recall50"] == 1.0


def test_find_is_the_plain_function_on_what_the_network_says(predictor, scene):
    prediction = predictor(scene)
    arrays = (prediction.coord, prediction.offset, prediction.feat, GRID, scene["normal"][_rows(prediction, scene)])
    for radius, rule in ((None, GraphRule()), (3 * GRID, GraphRule(radius=3.0))):
        found, plain = prediction.find(radius, 20), find_instances(*arrays, min_points=20, rule=rule)
        for name in ("label", "stuff", "score"):
            np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
        assert np.array_equal(prediction.instances(radius, 20), plain.label[prediction.nearest])
    no_plane = prediction.find(min_points=20, plane=np.zeros(len(prediction.coord), bool))
    assert not no_plane.stuff.any() and prediction.find(min_points=20).stuff.any()


def test_default_radius_is_that_of_the_rule(predictor, scene):
    prediction = predictor(scene)
    default, given = prediction.find(), prediction.find(GraphRule.radius * GRID)
    assert np.array_equal(default.label, given.label) and np.array_equal(default.score, given.score)
    assert f"{MIN_VOXELS} are joined within {GraphRule.radius * GRID:.3g} m" in prediction.why_nothing()


def test_instances_do_not_depend_on_the_unit_of_the_scan(predictor, scene):
    prediction = predictor(scene)
    small = replace(prediction, coord=prediction.coord / 8, offset=prediction.offset / 8, voxel=prediction.voxel / 8)
    first, second = prediction.find(min_points=20), small.find(min_points=20)
    assert np.array_equal(first.label, second.label)
    np.testing.assert_allclose(first.score, second.score, atol=1e-4)


def _rows(prediction, scene):
    """Raw point (V,) that stands for each voxel."""
    place = {tuple(point): i for i, point in enumerate(scene["coord"].tolist())}
    return [place[tuple(point)] for point in prediction.coord.tolist()]


def _score(scene, label):
    """Scores of labels of the raw points: every raw point is a voxel of its own."""
    voxels = dict(coord=scene["coord"], label=label)
    return evaluate_label_free([scene | dict(voxels=voxels)], dict(labels=lambda v: v["label"]))["labels"]

import numpy as np
import pytest
import torch

from pointins_ext.evaluation import evaluate_label_free
from pointins_ext.inference import RADIUS_VOXELS, REACH_VOXELS, Predictor
from pointins_ext.instances import components
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
    assert prediction.fine_feat.shape == (len(prediction.coord), 16) and prediction.voxel == GRID


def test_zero_offsets_through_the_network_are_plain_geometry(cfg, scene):
    prediction = Predictor.from_config(trained(cfg, offset_std=0.0).teacher, cfg)(scene)
    assert not prediction.offset.any()
    for radius, default in ((2 * GRID, None), (RADIUS_VOXELS * GRID, True)):
        plain = components(prediction.coord, radius, 30, REACH_VOXELS * prediction.voxel)
        label = prediction.instances(None if default else radius, min_points=30)
        assert np.array_equal(label, plain[prediction.nearest])
    voxels = dict(coord=prediction.coord, offset=prediction.offset)

    def network(v):
        return components(v["coord"] + v["offset"], 2 * GRID, 30)

    scores = evaluate_label_free(
        [scene | dict(voxels=voxels)], dict(network=network, plain=lambda v: components(v["coord"], 2 * GRID, 30))
    )
    scores["labels"] = _score(scene, prediction.instances(2 * GRID, min_points=30))
    assert scores["network"]["map"] == scores["plain"]["map"] == scores["labels"]["map"] > 0.5
    assert scores["network"] == pytest.approx(scores["plain"], nan_ok=True)


def _score(scene, label):
    """Scores of labels of the raw points: every raw point is a voxel of its own."""
    voxels = dict(coord=scene["coord"], label=label)
    return evaluate_label_free([scene | dict(voxels=voxels)], dict(labels=lambda v: v["label"]))["labels"]

import copy
import random

import numpy as np
import pytest
import torch

import pointins_ext
from pointins_ext.errors import ScanWarning
from pointins_ext.host import TRANSFORMS, Config
from pointins_ext.inference import Predictor
from pointins_ext.inference.predictor import _interpolate, _to_loss_level
from pointins_ext.instances import instance_centers
from pointins_ext.models.passes import up_cast
from tests.fixtures.tiny_pointins import GRID
from tests.fixtures.tiny_predictor import config, trained


def test_the_same_scan_gives_the_same_answer_and_draws_nothing(predictor, scene):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    first = predictor(scene)
    assert torch.equal(states[0], torch.get_rng_state()) and states[2] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    torch.manual_seed(99)
    second = predictor(scene)
    assert np.array_equal(first.offset, second.offset) and np.array_equal(first.feat, second.feat)
    assert np.array_equal(first.instances(min_points=10), second.instances(min_points=10))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_stream_of_the_gpu_is_left_alone_too(cfg, scene):
    predictor = Predictor.from_config(trained(cfg).teacher.cuda(), cfg)
    torch.cuda.manual_seed(7)
    state = torch.cuda.get_rng_state()
    predictor(scene)
    assert torch.equal(state, torch.cuda.get_rng_state())


def test_training_mode_is_given_back(cfg, scene):
    model = trained(cfg).train()
    Predictor.from_config(model.teacher, cfg)(scene)
    assert all(module.training for module in model.teacher.modules())
    assert all(p.grad is None for p in model.parameters())


def test_the_loss_voxel_of_a_point_holds_it(model, scene):
    grid_coord = torch.from_numpy(np.unique(np.floor(scene["coord"] / GRID), axis=0)).int()
    data = dict(coord=grid_coord * GRID, origin_coord=grid_coord * GRID, grid_coord=grid_coord - grid_coord.amin(0))
    data |= dict(feat=torch.rand(len(grid_coord), 9), batch=torch.zeros(len(grid_coord), dtype=torch.long))
    data |= dict(grid_size=torch.tensor(GRID))
    with torch.no_grad():
        point = model.teacher.backbone(data)
    for levels, stride in ((0, 8), (1, 4), (2, 2), (3, 1)):
        views, inverse = _to_loss_level(point, levels)
        assert torch.equal(views.feat, up_cast(point, levels).feat)
        assert torch.equal(views.grid_coord[inverse].long(), data["grid_coord"].long() // stride)


@pytest.mark.parametrize("num_voxels", [1, 2, 3, 40])
def test_interpolation_is_the_inverse_distance_mean_of_three_voxels(num_voxels):
    generator = np.random.default_rng(num_voxels)
    coord, query = generator.random((num_voxels, 3)), generator.random((25, 3))
    value = generator.normal(size=(num_voxels, 3))
    value[0], query[0] = 7.0, coord[0]
    expected = []
    for q in query:
        distance = np.linalg.norm(coord - q, axis=1)
        near = np.argsort(distance)[:3]
        weight = 1 / (distance[near] + 1e-3)
        expected.append(weight @ value[near] / weight.sum())
    result = _interpolate(*(torch.tensor(x, dtype=torch.float32) for x in (value, coord, query))).numpy()
    np.testing.assert_allclose(result, expected, atol=1e-4)
    assert (result >= value.min(0) - 1e-4).all() and (result <= value.max(0) + 1e-4).all()


def test_a_scan_in_another_unit_is_the_same_scan(predictor, scene):
    small = copy.copy(predictor)
    small.scale = 8.0
    prediction, expected = small(scene | dict(coord=scene["coord"] / 8)), predictor(scene)
    np.testing.assert_allclose(prediction.offset * 8, expected.offset, atol=1e-5)
    np.testing.assert_allclose(prediction.coord * 8, expected.coord, atol=1e-6)
    assert prediction.voxel == GRID / 8
    assert np.array_equal(prediction.instances(min_points=20), expected.instances(min_points=20))
    found = {
        unit: pointins_ext.segment(
            scene["coord"] / unit, scene["color"], scene["normal"], predictor, grid_size=GRID / unit, min_points=20
        )
        for unit in (1, 8)
    }
    label, center = found[8]
    assert np.array_equal(label, found[1][0]) and predictor.scale == 1.0
    np.testing.assert_allclose(center * 8, instance_centers(scene["coord"], label), atol=1e-4)


def test_scale_of_the_training_data_is_the_default(cfg, model):
    scaled = Config(cfg.to_dict())
    scaled.data.train.scale = 8.0
    assert Predictor.from_config(model.teacher, scaled).scale == 8.0
    assert Predictor.from_config(model.teacher, scaled, scale=1.0).scale == 1.0


def test_the_network_sees_the_channels_that_training_saw(cfg, model, scene):
    """Colors as NormalizeColor gives them, coordinates around the middle where CenterShift is in the views."""
    seen = {}

    def record(module, args):
        seen.update(args[0])

    for augmentation in (("CenterShift", "RandomFlip"), ("RandomFlip",)):
        other = config(augmentation=augmentation)
        handle = model.teacher.backbone.register_forward_pre_hook(record)
        Predictor.from_config(model.teacher, other)(scene)
        handle.remove()
        feat, origin = seen["feat"].numpy(), seen["origin_coord"].numpy()
        row = {tuple(point): i for i, point in enumerate(scene["coord"].tolist())}
        kept = [row[tuple(point)] for point in origin.tolist()]
        expected = TRANSFORMS.build(dict(type="NormalizeColor"))(dict(color=scene["color"][kept]))["color"]
        np.testing.assert_allclose(feat[:, 3:6], expected, atol=1e-6)
        moved = origin - feat[:, :3]
        assert np.ptp(moved, axis=0).max() < 1e-5
        low, high = origin.min(0), origin.max(0)
        middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
        np.testing.assert_allclose(moved[0], middle if augmentation[0] == "CenterShift" else 0, atol=1e-5)


def test_of_several_data_sets_the_first_tells(cfg, model):
    train = cfg.to_dict()["data"]["train"]
    several = Config(dict(model=cfg.model, data=dict(train=dict(type="ConcatDataset", datasets=[train, dict()]))))
    found, expected = (Predictor.from_config(model.teacher, config) for config in (several, cfg))
    assert (found.grid_size, found.feat_keys, found.centered) == (expected.grid_size, expected.feat_keys, True)


def test_missing_colors_are_gray_and_missing_normals_are_estimated(predictor, scene):
    gray = scene | dict(color=np.full_like(scene["color"], 127.5))
    without = {key: value for key, value in scene.items() if key != "color"}
    np.testing.assert_allclose(predictor(without).offset, predictor(gray).offset, atol=1e-6)
    assert not np.allclose(predictor(scene).offset, predictor(gray).offset)
    estimated = predictor({key: value for key, value in scene.items() if key != "normal"})
    assert np.isfinite(estimated.offset).all() and estimated.offset.shape == predictor(scene).offset.shape


@pytest.mark.parametrize("place", ["global_shared_transform", "global_transform"])
def test_missing_colors_are_what_the_network_knows_as_missing(predictor, scene, place):
    cfg = config()
    views = next(step for step in cfg.data.train.transform if "global_transform" in step)
    views[place] = [*views.get(place, []), dict(type="RandomDropColor", drop_ratio=1.0, drop_application_ratio=0.2)]
    taught = Predictor.from_config(predictor.networks, cfg)
    without = {key: value for key, value in scene.items() if key != "color"}
    black = scene | dict(color=np.zeros_like(scene["color"]))
    np.testing.assert_allclose(taught(without).offset, predictor(black).offset, atol=1e-6)


def test_a_missing_channel_is_named(scene):
    cfg = config(("coord", "echo"), in_channels=4)
    predictor = Predictor.from_config(trained(cfg).teacher, cfg)
    with pytest.raises(ValueError, match="needs 'echo' for every point; the scan has color, coord, inst"):
        predictor(scene)


def test_zeros_stand_for_a_missing_strength_and_it_is_said(scene):
    cfg = config(("coord", "strength"), in_channels=4)
    predictor = Predictor.from_config(trained(cfg).teacher, cfg)
    zeros = predictor(scene | dict(strength=np.zeros((len(scene["coord"]), 1)))).offset
    with pytest.warns(ScanWarning, match="the scan has no strength, which the checkpoint reads: 0 stands for it"):
        np.testing.assert_array_equal(predictor(scene).offset, zeros)
    assert zeros.any()
    assert predictor(scene | dict(strength=np.zeros(len(scene["coord"])))).offset.any()

import copy
import random

import numpy as np
import pytest
import torch

import pointins_ext
from pointins_ext.errors import ScanWarning, _notices
from pointins_ext.evaluation import evaluate_label_free
from pointins_ext.host import TRANSFORMS, Config, build_model
from pointins_ext.inference import (
    RADIUS_VOXELS,
    REACH_VOXELS,
    Predictor,
    _interpolate,
    _to_loss_level,
    load_predictor,
)
from pointins_ext.instances import components, instance_centers
from pointins_ext.models.passes import up_cast
from tests.fixtures.tiny_pointins import GRID, backbone_config, dos_config, pointins_config

DEEP = dict(
    stride=(2, 2, 2), enc_depths=(0, 1, 1, 1), enc_channels=(8, 8, 16, 16), enc_num_head=(1, 1, 2, 2),
    enc_patch_size=(32, 32, 32, 32), in_channels=9,
)  # fmt: skip


def config(feat_keys=("coord", "color", "normal"), in_channels=9, augmentation=("CenterShift", "RandomFlip")):
    pretrainer = dos_config(backbone=backbone_config(**DEEP | dict(in_channels=in_channels)))
    transform = [
        dict(type="GridSample", grid_size=GRID),
        dict(type="GlobalViewGenerator", global_transform=[dict(type=kind) for kind in augmentation]),
        dict(type="Collect", keys=(), global_feat_keys=tuple(f"global_{key}" for key in feat_keys)),
    ]
    model = pointins_config(pretrainer | dict(head_in_channels=32))
    return Config(dict(model=model, data=dict(train=dict(type="Scans", transform=transform))))


def trained(cfg, seed=0, offset_std=0.1):
    """A model whose offsets are large enough to matter."""
    torch.manual_seed(seed)
    model = build_model(cfg.model)
    for networks in (model.student, model.teacher):
        torch.nn.init.normal_(networks.offset_head.mlp[-1].weight, std=offset_std)
    return model


@pytest.fixture(autouse=True)
def all_notices():
    _notices.clear()


@pytest.fixture(scope="module")
def cfg():
    return config()


@pytest.fixture(scope="module")
def model(cfg):
    return trained(cfg)


@pytest.fixture(scope="module")
def predictor(cfg, model):
    return Predictor.from_config(model.teacher, cfg)


@pytest.fixture(scope="module")
def scene():
    """Three boxes on a floor, raw points denser than the voxels; objects 0..2, the floor is -1."""
    generator = np.random.default_rng(0)
    parts, labels = [generator.uniform((0, 0, 0), (2.4, 1.2, 0.0), (4000, 3))], [-np.ones(4000, int)]
    for number in range(3):
        point = generator.uniform(-0.25, 0.25, (1500, 3))
        axis = np.arange(1500) % 3
        point[np.arange(1500), axis] = 0.25 * np.sign(point[np.arange(1500), axis])
        parts.append(point + (0.4 + 0.8 * number, 0.6, 0.5))
        labels.append(np.full(1500, number))
    coord = np.concatenate(parts).astype(np.float32)
    color = generator.uniform(0, 255, (len(coord), 3)).astype(np.float32)
    normal = generator.normal(size=(len(coord), 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return dict(coord=coord, color=color, normal=normal, instance=np.concatenate(labels))


@pytest.fixture
def checkpoint(tmp_path, cfg, model):
    path = tmp_path / "model_last.pth"
    torch.save(dict(state_dict=model.state_dict(), config=cfg.to_dict(), epoch=3), path)
    return path


# -- prediction -----------------------------------------------------------------------------------------------------


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


def test_field_is_what_training_sees(predictor, scene):
    field, nearest = predictor.field(scene)
    assert field.voxel == pytest.approx(4 * GRID) and len(field.coord) < len(predictor(scene).coord)
    assert field.valid.all() and (field.view == 0).all() and nearest.shape == (len(scene["coord"]),)
    distance = (torch.from_numpy(scene["coord"]) - field.coord[nearest]).norm(dim=1)
    assert distance.max() < field.voxel * 3**0.5
    assert field.features.channels == (16, 16)


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


def test_a_scan_in_another_unit_is_the_same_scan(predictor, scene):
    small = copy.copy(predictor)
    small.scale = 8.0
    prediction, expected = small(scene | dict(coord=scene["coord"] / 8)), predictor(scene)
    np.testing.assert_allclose(prediction.offset * 8, expected.offset, atol=1e-5)
    np.testing.assert_allclose(prediction.coord * 8, expected.coord, atol=1e-6)
    assert prediction.voxel == GRID / 8
    assert np.array_equal(prediction.instances(min_points=20), expected.instances(min_points=20))
    label, center = pointins_ext.segment(
        scene["coord"] / 8, scene["color"], scene["normal"], predictor, grid_size=GRID / 8, min_points=20
    )
    assert np.array_equal(label, expected.instances(min_points=20)) and predictor.scale == 1.0
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


def test_a_missing_channel_is_named(scene):
    cfg = config(("coord", "strength"), in_channels=4)
    predictor = Predictor.from_config(trained(cfg).teacher, cfg)
    with pytest.raises(ValueError, match="needs 'strength' for every point; the scan has color, coord, inst"):
        predictor(scene)
    assert predictor(scene | dict(strength=np.zeros((len(scene["coord"]), 1)))).offset.any()
    assert predictor(scene | dict(strength=np.zeros(len(scene["coord"])))).offset.any()


# -- one call -------------------------------------------------------------------------------------------------------


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
        (dict(weight=None), "weight is missing; give a PointINS checkpoint"),
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


# -- checkpoints ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_gives_the_networks_back(checkpoint, model, predictor, scene):
    expected = predictor(scene)
    assert np.array_equal(load_predictor(checkpoint, device="cpu")(scene).offset, expected.offset)
    student = load_predictor(str(checkpoint), network="student", device="cpu")
    assert torch.equal(next(student.networks.parameters()), next(model.student.parameters()))
    assert load_predictor(checkpoint, grid_size=GRID / 4, device="cpu").scale == 4.0


def test_names_of_wrapped_models_are_understood(checkpoint, model, cfg, predictor, scene):
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save(dict(state_dict=state, config=cfg.to_dict()), checkpoint)
    assert np.array_equal(load_predictor(checkpoint, device="cpu")(scene).offset, predictor(scene).offset)


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth not found; expected a file such as exp/"):
        load_predictor(tmp_path / "none.pth")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot read checkpoint .*model_last.pth .*truncated"):
        load_predictor(checkpoint)


def test_a_checkpoint_of_another_kind(tmp_path, model, cfg):
    path = tmp_path / "foreign.pth"
    torch.save(dict(state_dict={"student.backbone.x": torch.zeros(1)}, config={}), path)
    with pytest.raises(ValueError, match="foreign.pth: not a PointINS .*'student.backbone.x', have no teacher.offset"):
        load_predictor(path)
    torch.save(dict(state_dict=model.state_dict(), config={}), path)
    with pytest.raises(ValueError, match="config of .*foreign.pth: expected the key 'model', found no key"):
        load_predictor(path)
    state = {name: value for name, value in model.state_dict().items() if "enc1" not in name}
    torch.save(dict(state_dict=state, config=cfg.to_dict()), path)
    with pytest.raises(ValueError, match="foreign.pth: missing .*enc1"):
        load_predictor(path)


def test_the_config_of_the_experiment_serves_where_the_checkpoint_has_none(tmp_path, model, cfg, predictor, scene):
    """As Pointcept's own saver leaves an experiment."""
    path = tmp_path / "exp" / "model" / "model_last.pth"
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict(), epoch=3, best_metric_value=np.float64(0.5)), path)
    with pytest.raises(FileNotFoundError, match="carries no config; .*exp/config.py not found; .*--config"):
        load_predictor(path)
    with pytest.raises(FileNotFoundError, match="^elsewhere.py not found"):
        load_predictor(path, config="elsewhere.py")
    cfg.dump(tmp_path / "other.py")
    expected = predictor(scene).offset
    assert np.array_equal(load_predictor(path, device="cpu", config=tmp_path / "other.py")(scene).offset, expected)
    cfg.dump(tmp_path / "exp" / "config.py")
    assert np.array_equal(load_predictor(path, device="cpu")(scene).offset, expected)


def test_a_config_beside_a_checkpoint_runs_only_where_it_is_asked_for(tmp_path, model, cfg, predictor, scene):
    path, beside = tmp_path / "exp" / "model" / "model_last.pth", tmp_path / "exp" / "config.py"
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict(), epoch=3), path)
    ran = tmp_path / "ran"
    beside.write_text(f"open({str(ran)!r}, 'w').close()\n{cfg.pretty_text}")
    with pytest.raises(ValueError, match="exp/config.py, line 1: found the code `open.*read as data.*--config"):
        load_predictor(path, device="cpu")
    assert not ran.exists()
    trusted = load_predictor(path, device="cpu", config=beside)
    assert ran.exists() and np.array_equal(trusted(scene).offset, predictor(scene).offset)
    torch.save(dict(state_dict=model.state_dict(), config=[("model", 1)]), path)
    with pytest.raises(ValueError, match="config of .*model_last.pth: expected the key 'model', found no key"):
        load_predictor(path, device="cpu")

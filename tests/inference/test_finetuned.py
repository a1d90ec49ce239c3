"""Checkpoints trained on labels, on raw scans: the labels are those that validation gives."""

import numpy as np
import pytest
import torch

from pointins_ext.datasets.readers import read_scan
from pointins_ext.inference import FinetunedPredictor, LabeledScan, Predictor, load_predictor, load_segmenter
from tests.fixtures.tiny_finetuned import Experiment

CONFIGS = ("insseg-scans", "insseg-ptv3-rooms", "panseg-ptv3-rooms", "semseg-ptv3-scannet", "panseg-drives")


@pytest.fixture(scope="module", params=CONFIGS)
def experiment(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Experiment(request.param, folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Experiment("insseg-scans", folder)


def test_labels_are_those_of_validation(experiment):
    expected = experiment.evaluated()
    predictor = load_segmenter(experiment.weight, device="cpu")
    state = torch.get_rng_state()
    found = predictor(read_scan(experiment.scan))
    assert torch.equal(state, torch.get_rng_state())  # the caller's random numbers go on as if nothing was read
    assert found.names == tuple(experiment.cfg.data.names)
    labeled = expected["segment"] >= 0
    assert len(np.unique(found.segment)) > 1 and labeled.any() and found.segment.min() >= 0
    np.testing.assert_array_equal(found.segment[labeled], expected["segment"][labeled])
    if experiment.kind == "DefaultSegmentorV2":
        assert found.instance is None and found.score is None
        return
    none = 0 if experiment.kind == "PanSeg-v1m1" else -1
    ids, first, number = np.unique(expected["instance"], return_index=True, return_inverse=True)
    assert ids[0] == none and len(ids) > 3
    np.testing.assert_array_equal(found.instance, number - 1)
    np.testing.assert_array_equal(found.category, found.segment[first[1:]])
    assert ((found.score > 0) & (found.score <= 1)).all() and len(found.score) == len(ids) - 1
    if experiment.kind == "PG-v1m2":
        np.testing.assert_allclose(found.score, expected["score"], rtol=1e-5)
        np.testing.assert_array_equal(found.category, expected["category"])


def test_the_unit_of_the_scan_follows_the_voxel(small):
    scene = read_scan(small.scan)
    expected = load_segmenter(small.weight, device="cpu")(scene)
    halved = dict(scene, coord=scene["coord"] / 2)
    found = load_segmenter(small.weight, device="cpu", grid_size=0.01)(halved)  # 0.04 / 0.02 as trained
    np.testing.assert_array_equal(found.segment, expected.segment)
    np.testing.assert_array_equal(found.instance, expected.instance)
    np.testing.assert_array_equal(found.offset, expected.offset / 2)


def test_every_point_has_a_label_whatever_the_pipeline_leaves_out(small):
    """Crops and checks of labels are no part of it, and without a way back to raw points the voxels' own is taken."""
    steps = [dict(step) for step in small.cfg.data.val.transform]
    place = next(i for i, step in enumerate(steps) if step["type"] == "GridSample")
    strict = dict(type="CheckLabels", num_classes=2, instance=True)
    crops = [dict(type="SphereCrop", point_max=100, mode="center"), dict(type="RandomDropout", dropout_ratio=0.9)]
    scene = read_scan(small.scan)
    plain, cropped = (
        FinetunedPredictor(small.model, "PG-v1m2", transform)(scene)
        for transform in (steps, [strict, *steps[: place + 1], *crops, *steps[place + 1 :]])
    )
    np.testing.assert_array_equal(cropped.segment, plain.segment)
    np.testing.assert_array_equal(cropped.instance, plain.instance)
    assert plain.names == ("class_0", "class_1")

    collect = dict(type="Collect", keys=("coord", "grid_coord", "instance_centroid"), feat_keys=steps[-1]["feat_keys"])
    found = FinetunedPredictor(small.model, "PG-v1m2", [s for s in steps[:-1] if s["type"] != "Copy"] + [collect])(
        scene
    )
    assert len(found.segment) == len(scene["coord"]) and (found.segment == plain.segment).mean() > 0.8
    coord = scene["coord"] - [*(scene["coord"].min(0) + scene["coord"].max(0))[:2] / 2, scene["coord"][:, 2].min()]
    _, voxel = np.unique(np.floor(coord / 0.04).astype(int), axis=0, return_inverse=True)
    mixed = sum(len(np.unique(found.segment[voxel.reshape(-1) == i])) > 1 for i in range(200))
    assert mixed <= 2  # where rounding puts a point into the next voxel


def test_labels_of_the_scan_are_not_read(small):
    scene = read_scan(small.scan)
    predictor = load_segmenter(small.weight, device="cpu")
    number = len(scene["coord"])
    labels = dict(segment=np.full(number, 7, np.int32), instance=np.arange(number, dtype=np.int32))
    np.testing.assert_array_equal(predictor(scene | labels).segment, predictor(scene).segment)


def test_what_is_found_in_words():
    segment, names = np.array([2, 2, 2, 0, 1, 1, 1, 1]), ("floor", "chair", "table")
    assert LabeledScan(segment, names).summary() == "chair 50%, table 38%, floor 12%"
    instance, category = np.array([0, 0, 1, -1, 2, 2, 3, 3]), np.array([2, 2, 1, 2])
    found = LabeledScan(segment, names, instance, category, np.ones(4), np.zeros((8, 3)))
    assert found.summary() == "4 instances (table 3, chair 1); chair 50%, table 38%, floor 12%"
    nothing = LabeledScan(np.arange(9), tuple("abcdefghi"), np.full(9, -1), np.zeros(0, int), np.zeros(0), None)
    assert nothing.summary() == "0 instances; a 11%, b 11%, c 11%, d 11%, e 11%, f 11%, ..."


def test_a_checkpoint_without_config_takes_that_of_its_experiment(small):
    """As Pointcept's own saver leaves an experiment."""
    expected = load_segmenter(small.weight, device="cpu")(read_scan(small.scan))
    small.write(config=None)
    small.weight.parents[1].joinpath("config.py").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="carries no config; .*exp/config.py not found; .*--config"):
        load_segmenter(small.weight)
    small.cfg.dump(small.weight.parents[1] / "config.py")
    found = load_segmenter(small.weight, device="cpu")(read_scan(small.scan))
    small.write()
    np.testing.assert_array_equal(found.segment, expected.segment)
    np.testing.assert_array_equal(found.instance, expected.instance)


def test_pretraining_goes_on_as_before(checkpoint, predictor, scene):
    found = load_segmenter(checkpoint, device="cpu")
    assert isinstance(found, Predictor)
    assert np.array_equal(found(scene).offset, predictor(scene).offset)
    assert load_segmenter(checkpoint, "student", "cpu", grid_size=0.01).scale == found.grid_size / 0.01


def test_other_checkpoints_are_told_what_they_are(small, tmp_path):
    expected = "expected a pretraining with teacher.offset_head, or one of PG-v1m2, PanSeg-v1m1, DefaultSegmentorV2"
    path = tmp_path / "resnet.pth"
    torch.save(dict(state_dict={"conv1.weight": torch.zeros(1)}), path)
    with pytest.raises(ValueError, match=f"resnet.pth: found 1 tensors, like 'conv1.weight'; {expected}"):
        load_segmenter(path)
    state = small.model.state_dict()
    torch.save(dict(state_dict=state, config=dict(model=dict(type="PPT-v1m3"))), path)
    with pytest.raises(ValueError, match=f"resnet.pth: found a model of type 'PPT-v1m3'; {expected}"):
        load_segmenter(path)
    with pytest.raises(ValueError, match="not a PointINS pretraining checkpoint"):
        load_predictor(small.weight)


@pytest.mark.parametrize(
    "data, message",
    [
        (dict(), "config of .*x.pth: data.val.transform must have GridSample .*found no step.*--config"),
        (dict(val=dict(transform=[dict(type="ToTensor")])), "must have GridSample .*found ToTensor"),
        (dict(names=["a", "b", "c"]), "data.names holds 3 names.*data.num_classes = 2 classes"),
    ],
)
def test_a_config_that_does_not_fit(small, tmp_path, data, message):
    data = data if "names" not in data else small.cfg.to_dict()["data"] | data
    torch.save(
        dict(state_dict=small.model.state_dict(), config=dict(small.cfg.to_dict(), data=data)), tmp_path / "x.pth"
    )
    with pytest.raises(ValueError, match=message):
        load_segmenter(tmp_path / "x.pth", device="cpu")


def test_a_scan_without_what_the_network_reads(small):
    steps = [dict(step) for step in small.cfg.data.val.transform]
    steps[-1] = dict(steps[-1], feat_keys=("coord", "strength"))
    predictor = FinetunedPredictor(small.model, "PG-v1m2", steps)
    with pytest.raises(ValueError, match="the checkpoint needs strength for every point; the scan has color, coord"):
        predictor(read_scan(small.scan))
    with pytest.raises(ValueError, match="huge: the points spread over 1e.05 m"):
        predictor.check_frame(np.array([[0, 0, 0], [1e5, 0, 0]], np.float32), "huge")

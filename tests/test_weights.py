"""The weights that the package ships: what they are for, where they load, that half precision is enough."""

import json
import os
import re
from operator import itemgetter

import numpy as np
import pytest
import torch

import pointins_ext
from pointins_ext import weights
from pointins_ext.checkpoint import read_checkpoint, save_checkpoint, save_half
from pointins_ext.datasets.drives import generate_drive
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.evaluation.label_free import evaluate_label_free
from pointins_ext.host import Config, build_model
from pointins_ext.inference import load_predictor
from tests.fixtures.verbs import tool

MAX_BYTES = 8 * 2**20
CHANNELS = dict(indoor=("coord", "color", "normal"), outdoor=("coord", "strength"))


@pytest.fixture(scope="module")
def room():
    return generate_room(5)


@pytest.mark.parametrize("name", weights.NAMES)
def test_what_is_shipped_is_small_and_says_what_it_is(name):
    assert os.path.getsize(weights.located(name)) < MAX_BYTES
    checkpoint = read_checkpoint(name)
    assert {value.dtype for value in checkpoint["state_dict"].values() if value.is_floating_point()} == {torch.float32}
    assert "/" not in json.dumps({key: checkpoint["config"].get(key) for key in ("save_path", "weight", "wandb_key")})
    predictor = pointins_ext.load(name, device="cpu")
    assert predictor.feat_keys == CHANNELS[name] and predictor.centered == (name == "indoor")
    card = weights.card(name)
    assert card.startswith(f"# {name}") and "procedural" in card and "fail" in card


def test_instances_of_rooms_nobody_trained_on(room):
    """Better than every other test of a shipped file: it works."""
    predictor, scenes = load_predictor("indoor", device="cpu"), []
    for scene in (room, generate_room(6), generate_room(7)):
        prediction = predictor(scene)
        voxels = dict(coord=prediction.coord, found=prediction.find().label)
        scenes.append(dict(scene, prediction=prediction, voxels=voxels))
    rows = evaluate_label_free(scenes, dict(found=itemgetter("found")), False, predictor.grid_size)
    assert rows["found"]["ap50"] > 0.6


def test_half_precision_changes_no_instance(room, tmp_path):
    """Rounding once more changes nothing; the first time it may move voxels of no account."""
    checkpoint = read_checkpoint("indoor")
    noise = torch.Generator().manual_seed(0)
    single = {  # as it was before it was rounded: anywhere between two numbers of half precision
        name: value * (1 + 2.0**-12 * (2 * torch.rand(value.shape, generator=noise) - 1))
        if value.is_floating_point()
        else value
        for name, value in checkpoint["state_dict"].items()
    }
    save_checkpoint(dict(state_dict=single, config=checkpoint["config"]), tmp_path / "single.pth")
    one, two = (
        load_predictor(weight, device="cpu")(room).instances() for weight in ("indoor", tmp_path / "single.pth")
    )
    pairs = np.unique(np.stack([one, two]), axis=1, return_counts=True)
    largest = [pairs[1][pairs[0][0] == label].max() for label in np.unique(one)]
    assert sum(largest) > 0.99 * len(one)


def test_a_name_is_a_file_only_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outdoor").mkdir()  # a folder of scans
    assert weights.located("outdoor").suffix == ".safetensors"
    assert weights.located("other") == "other"
    (tmp_path / "indoor").write_bytes(b"mine")
    assert weights.located("indoor") == "indoor"
    with pytest.raises(
        FileNotFoundError, match="checkpoint inside not found; expected .*indoor or outdoor, which come"
    ):
        read_checkpoint("inside")


def test_whole_in_half_precision_and_back(tmp_path):
    state = dict(weight=torch.randn(4, 3), count=torch.tensor(7))
    state["tied"] = state["weight"]
    save_half(state, dict(model=dict(type="X", sizes=[1, 2], ratio=0.1)), tmp_path / "new" / "a.safetensors")
    read = read_checkpoint(tmp_path / "new" / "a.safetensors")
    assert read["config"] == dict(model=dict(type="X", sizes=[1, 2], ratio=0.1))
    assert torch.equal(read["state_dict"]["weight"], state["weight"].half().float())
    assert torch.equal(read["state_dict"]["tied"], read["state_dict"]["weight"]) and read["state_dict"]["count"] == 7


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(weights.located("indoor").read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cannot read checkpoint .*cut.safetensors \(100000 bytes\): it is truncated"):
        read_checkpoint(path)


def test_the_backbone_alone_is_that_of_the_host():
    backbone = pointins_ext.load_backbone("indoor", device="cpu")
    config = Config(read_checkpoint("indoor")["config"])
    assert type(backbone) is type(build_model(dict(config.model.pretrainer.backbone, enable_flash=False)))
    state = read_checkpoint("indoor")["state_dict"]
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, state[f"teacher.backbone.{name}"])


@pytest.mark.parametrize(
    "scene, name, reason",
    [
        (lambda: generate_room(1), "indoor", "colors"),
        (lambda: dict(coord=generate_room(1)["coord"]), "indoor", r"3(\.\d+)? m wide"),
        (lambda: generate_drive(1), "outdoor", "no colors and is 1.. m wide"),
        (lambda: dict(coord=np.zeros((20, 3)), color=None), "indoor", "0 m wide"),
    ],
)
def test_the_fitting_weights(scene, name, reason):
    chosen, why = weights.fitting(scene())
    assert chosen == name and re.search(reason, why)


def test_segment_takes_what_fits(room):
    label, center = pointins_ext.segment(room["coord"], room["color"], room["normal"])
    given, _ = pointins_ext.segment(room["coord"], room["color"], room["normal"], weight="indoor")
    np.testing.assert_array_equal(label, given)
    assert 5 <= len(center) <= 30
    with pytest.warns(UserWarning, match="the scan has no strength"):
        street, center = pointins_ext.segment(generate_drive(1)["coord"])
    assert len(center) > 5


@pytest.mark.parametrize(
    "config, options, loaded",
    [
        ("pretrain-dos-rooms", [], "198 of the model's 198 tensors, 176 of 176 backbone tensors"),
        ("insseg-rooms-lin", ["data.val.num_scenes=1"], "88 of 88 backbone tensors; probing the student's backbone"),
    ],
)
def test_a_training_starts_from_a_name(config, options, loaded, tmp_path):
    options += ["num_rooms=2", "epoch=1", "eval_epoch=1", "num_worker=0"]
    done = tool("train", "-c", f"pointins/{config}", "-n", "a", "-w", "indoor", "--", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "Loaded indoor: " in line]
    assert loaded in line

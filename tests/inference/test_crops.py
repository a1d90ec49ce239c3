"""Crops of labeled scenes as training sees them: the same for every checkpoint, with the truth of whole objects."""

from pathlib import Path

import pytest
import torch

from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.host import Config
from pointins_ext.inference.crops import training_crops
from pointins_ext.instances import instance_centers
from tests.fixtures.tiny_pointins import build

CONFIG = Path(__file__).parents[2] / "configs/pointins/pretrain-dos-rooms.py"


@pytest.fixture(scope="module")
def cfg():
    return Config.fromfile(str(CONFIG))


@pytest.fixture(scope="module")
def rooms(cfg):
    return SyntheticRoomsDataset(split="train", num_scenes=2, transform=cfg.data.train.transform)


@pytest.fixture(scope="module")
def crops(cfg, rooms):
    """crops(seed, model_seed) -> two draws of both rooms."""

    def draw(seed=0, model_seed=0):
        model = build(cfg.model, model_seed).eval()
        return list(training_crops(model, rooms, [0, 1], draws=2, seed=seed))

    return draw


def test_truth_is_that_of_the_whole_scene(rooms, crops):
    for crop in crops():
        scene = rooms.get_data(crop.scene)
        centers = instance_centers(scene["coord"], scene["instance"])
        member = crop.instance >= 0
        assert member.any() and crop.center[~member].isnan().all()
        torch.testing.assert_close(crop.center[member], centers[crop.instance[member]].float())
        distance = torch.cdist(crop.field.coord[:50], torch.as_tensor(scene["coord"])).min(1).values
        assert distance.max() < crop.field.voxel[0] * 3**0.5
        assert ((crop.visible > 0) == member).all() and crop.visible.max() <= 1


def test_other_weights_see_the_same_crops_and_another_seed_others(crops):
    first, second, other = crops(), crops(model_seed=1), crops(seed=1)
    for a, b in zip(first, second, strict=True):
        assert a.scene == b.scene and torch.equal(a.field.coord, b.field.coord)
        assert not torch.equal(a.field.offset, b.field.offset)
    assert [len(c.field.coord) for c in first] != [len(c.field.coord) for c in other]
    assert not torch.equal(first[0].field.coord[:10], first[1].field.coord[:10])  # two draws of a scene


def test_a_scene_without_an_object_is_named(rooms, crops, monkeypatch):
    scene = rooms.get_data(0)
    monkeypatch.setattr(rooms, "get_data", lambda index: scene | dict(instance=-1 + 0 * scene["instance"]))
    with pytest.raises(ValueError, match=f"{scene['name']}: no instance labels"):
        crops()

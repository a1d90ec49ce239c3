"""Panoptic labels in the official layouts: who is an object, what is void, and what is said of missing files."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.panoptic import NuScenesPanopticDataset, SemanticKITTIPanopticDataset, instances
from tests.fixtures import tiny_datasets as tiny


@pytest.fixture
def nuscenes(tmp_path):
    tiny.write_nuscenes(tmp_path)
    return tmp_path


@pytest.fixture
def kitti(tmp_path):
    tiny.write_semantic_kitti(tmp_path)
    return tmp_path


def test_objects_are_pairs_of_class_and_number():
    segment, number = np.array([0, 0, 3, 3, 0, 12, 0]), np.array([1, 2, 1, 1, 0, 5, 1])
    assert instances(segment, number, range(8)).tolist() == [0, 1, 2, 2, -1, -1, 0]


def test_nuscenes_objects_and_void(nuscenes):
    dataset = NuScenesPanopticDataset(split="val", data_root=str(nuscenes))
    scene = dataset.get_data(0)
    coord, instance = tiny.street(32)
    np.testing.assert_allclose(scene["coord"], coord)
    void = tiny.nuscenes_labels(coord, instance)[1] == 0
    assert void.sum() == tiny.NUSCENES_OVERLAP and (scene["segment"][void] == -1).all()
    assert (scene["instance"][void] == -1).all() and (scene["instance"][instance < 0] == -1).all()
    for i in range(tiny.NUM_OBJECTS):
        ids = np.unique(scene["instance"][(instance == i) & ~void])
        things = np.unique(scene["segment"][(instance == i) & ~void])
        assert len(things) == 1 and len(ids) == 1 and ids[0] >= 0
    assert (NuScenesPanopticDataset(split="test", data_root=str(nuscenes)).get_data(0)["instance"] == -1).all()


def test_nuscenes_subsets_are_whole_scenes(nuscenes):
    def tokens(**subset):
        dataset = NuScenesPanopticDataset(split="train", data_root=str(nuscenes), **subset)
        return [info["lidar_token"] for info in dataset.data_list]

    assert tokens() == ["token0", "token1"] == tokens(share=1.0)
    assert tokens(scenes=("scene-0392",)) == ["token1"]
    assert len(tokens(share=0.01)) == 1 and tokens(share=0.5) == tokens(share=0.5)
    with pytest.raises(ValueError, match="scene-9999"):
        tokens(scenes=("scene-9999",))
    with pytest.raises(ValueError, match="share is 0"):
        tokens(share=0)


def test_kitti_objects_share_the_whole_label(kitti):
    scene = SemanticKITTIPanopticDataset(split="val", data_root=str(kitti)).get_data(0)
    coord, instance = tiny.street(48)
    raw = tiny.kitti_labels(coord, instance)
    assert len(np.unique(scene["instance"][instance >= 0])) == len(np.unique(raw[instance >= 0]))
    assert (scene["instance"][instance < 0] == -1).all() and scene["segment"].max() < 19
    tiny.write_semantic_kitti(kitti, sequences=range(11, 22), unlabeled=range(11, 22))
    test = SemanticKITTIPanopticDataset(split="test", data_root=str(kitti))
    assert (test.get_data(0)["instance"] == -1).all() and (test.get_data(0)["segment"] == -1).all()


def test_missing_labels_are_named(tmp_path):
    tiny.write_nuscenes(tmp_path / "n")
    shutil.rmtree(tmp_path / "n" / "raw" / "panoptic")
    with pytest.raises(FileNotFoundError, match="token0_panoptic.npz does not exist; download nuScenes-panoptic"):
        NuScenesPanopticDataset(split="train", data_root=str(tmp_path / "n")).get_data(0)
    (tmp_path / "n" / "raw" / "v1.0-trainval" / "scene.json").unlink()
    with pytest.raises(FileNotFoundError, match="scene.json"):
        NuScenesPanopticDataset(split="train", data_root=str(tmp_path / "n"), share=0.5)
    tiny.write_semantic_kitti(tmp_path / "k", unlabeled=(8,))
    with pytest.raises(FileNotFoundError, match="08/labels/000000.label does not exist"):
        SemanticKITTIPanopticDataset(split="val", data_root=str(tmp_path / "k")).get_data(0)


def test_labels_that_do_not_fit_are_named(nuscenes):
    path = next(Path(nuscenes, "raw", "panoptic").rglob("*token0_panoptic.npz"))
    np.savez(path, data=np.load(path)["data"][:-3])
    with pytest.raises(ValueError, match="token0_panoptic.npz: .* labels, expected"):
        NuScenesPanopticDataset(split="train", data_root=str(nuscenes)).get_data(0)

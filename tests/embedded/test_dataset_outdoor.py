"""Sweeps and frames: values, broken files."""

import numpy as np
import pytest

from tests.fixtures.dataset_layouts import build
from tests.fixtures.tiny_datasets import classes, street, write_semantic_kitti

# type -> (splits, names of the scenes, keys of the sample with their width)


def test_nuscenes_values(roots):
    dataset = build("NuScenesDataset", roots["NuScenesDataset"], ignore_index=-3)
    scene, (coord, instance) = dataset[0], street(30)
    assert (scene["coord"] == coord).all()
    assert (scene["strength"][:, 0] == (np.arange(len(coord)) % 256).astype(np.float32) / np.float32(255)).all()
    assert scene["segment"][0] == -3
    assert (scene["segment"][1:] == classes(coord, instance, (3, 6, 9), 10, 14)[1:]).all()
    dataset.data_list[0].pop("gt_segment_path")  # as in the test split
    assert (dataset[0]["segment"] == -3).all()
    dataset.data_list[0]["lidar_path"] = "samples/gone.bin"
    with pytest.raises(FileNotFoundError, match="raw/samples/gone.bin.*link the nuScenes download"):
        dataset[0]


def test_semantic_kitti_values(tmp_path):
    train = (*range(8), 9, 10)
    write_semantic_kitti(tmp_path / "velodyne", train, unlabeled=(1,))  # a name that also occurs inside the layout
    dataset = build("SemanticKITTIDataset", tmp_path / "velodyne", ignore_index=-2)
    coord, instance = street(40)
    scene, unlabeled = dataset[0], dataset[1]
    assert (scene["coord"] == coord).all() and scene["strength"][-1] == 1
    assert (scene["segment"] == classes(coord, instance, (0, 5, 0), 8, 12)).all()
    assert (unlabeled["segment"] == -2).all()
    with pytest.raises(FileNotFoundError, match="sequences/08/velodyne"):
        build("SemanticKITTIDataset", tmp_path / "velodyne", "val")
    with pytest.raises(ValueError, match="no split 'training'.*train, val, test"):
        build("SemanticKITTIDataset", tmp_path, "training")


@pytest.mark.parametrize("damage, message", [("labels", "labels, expected"), ("sweep", "multiple of 4"), ("raw", "17")])
def test_broken_sweeps_are_named(tmp_path, damage, message):
    write_semantic_kitti(tmp_path)
    folder = tmp_path / "dataset" / "sequences" / "00"
    label, sweep = folder / "labels" / "000000.label", folder / "velodyne" / "000000.bin"
    broken = sweep if damage == "sweep" else label
    data = label.read_bytes()
    broken.write_bytes(np.uint32(17).tobytes() + data[4:] if damage == "raw" else broken.read_bytes()[:-4])
    with pytest.raises(ValueError, match=f"{broken.name}.*{message}"):
        build("SemanticKITTIDataset", tmp_path)[0]


def test_waymo_frames_join_in_the_frame_of_the_first(roots):
    options = dict(timestamp=(0, -1), reference_label=False, timing_embedding=True)
    dataset = build("WaymoDataset", roots["WaymoDataset"], **options)
    single = build("WaymoDataset", roots["WaymoDataset"])
    first, second, joined = single[0], single[1], dataset[1]
    number = len(second["coord"])
    assert (joined["coord"][:number] == second["coord"]).all()
    # the vehicle moved 2 m along x between the frames
    np.testing.assert_allclose(joined["coord"][number:], first["coord"] - [2, 0, 0], atol=1e-5)
    assert (joined["segment"][number:] == -1).all() and (joined["segment"][:number] == second["segment"]).all()
    assert joined["strength"].shape == (len(joined["coord"]), 2) and set(joined["strength"][:, 1]) == {0, -1}
    assert len(dataset[0]["coord"]) == len(first["coord"])  # the sequence has no frame before
    with pytest.raises(ValueError, match="timestamp"):
        build("WaymoDataset", roots["WaymoDataset"], timestamp=(1,))

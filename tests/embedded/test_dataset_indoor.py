"""What the indoor datasets read beside the arrays of a scene."""

import pickle

import numpy as np
import pytest
import torch

from tests.fixtures.dataset_layouts import build
from tests.fixtures.tiny_datasets import write_room

# type -> (splits, names of the scenes, keys of the sample with their width)


def test_scannet_labels_come_from_the_benchmarks_file(tmp_path):
    write_room(tmp_path / "train" / "a", seed=0, segment200=(3, 20, 150))
    assert (build("ScanNetDataset", tmp_path, "train")[0]["segment"] == -1).all()
    scene = build("ScanNet200Dataset", tmp_path, "train")[0]
    assert set(scene["segment"]) == {-1, 0, 1, 3, 20, 150} and "segment200" not in scene


@pytest.mark.parametrize("index", [[3, 5], np.array([3, 5]), torch.tensor([3, 5])], ids=["list", "array", "tensor"])
def test_scannet_data_efficient(roots, tmp_path, index):
    (tmp_path / "few.txt").write_text("scene0001_00\n")
    torch.save({"scene0001_00": index}, tmp_path / "points")
    options = dict(lr_file=str(tmp_path / "few.txt"), la_file=str(tmp_path / "points"), ignore_index=-7)
    dataset = build("ScanNetDataset", roots["ScanNetDataset"], **options)
    full = build("ScanNetDataset", roots["ScanNetDataset"])[1]
    assert len(dataset) == 1
    segment = dataset[0]["segment"]
    assert np.flatnonzero(segment != -7).tolist() == dataset[0]["sampled_index"].tolist() == [3, 5]
    assert (segment[[3, 5]] == full["segment"][[3, 5]]).all()
    torch.save({"scene0001_00": [3, 10**6]}, tmp_path / "points")
    with pytest.raises(ValueError, match="la_file names the point 1000000 of .*scene0001_00, which has .* points"):
        build("ScanNetDataset", roots["ScanNetDataset"], **options)[0]
    (tmp_path / "few.txt").write_text("scene9_00")
    with pytest.raises(FileNotFoundError, match="scene9_00.*lr_file"):
        build("ScanNetDataset", roots["ScanNetDataset"], **options)


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file ran')",)


def test_files_with_code_are_refused(roots, tmp_path):
    torch.save({"scene0000_00": Harmful()}, tmp_path / "points")
    with pytest.raises(ValueError, match="points.*exec"):
        build("ScanNetDataset", roots["ScanNetDataset"], la_file=str(tmp_path / "points"))
    info = tmp_path / "info" / "nuscenes_infos_10sweeps_train.pkl"
    info.parent.mkdir()
    info.write_bytes(pickle.dumps([Harmful()]))
    with pytest.raises(ValueError, match="nuscenes_infos.*exec"):
        build("NuScenesDataset", tmp_path)
    info.write_bytes(b"\x80\x04]")
    with pytest.raises(ValueError, match="nuscenes_infos.*write it again"):
        build("NuScenesDataset", tmp_path)

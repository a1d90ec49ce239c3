"""A data folder that is missing, half made or of other classes stops a downstream run with an error that says so."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.errors import require_scenes
from pointins_ext.host import NAME, build_dataset, default_config_parser
from tests.fixtures.missing_data import trainer_without
from tests.fixtures.shrunk_downstream import FOLDER
from tests.fixtures.tiny_datasets import WRITERS

pytestmark = pytest.mark.skipif(NAME != "embedded", reason="messages of the embedded host")
CASES = ("semseg-ptv3-scannet", "insseg-ptv3-scannet200", "insseg-ptv3-s3dis", "panseg-ptv3-nuscenes")


def train_set(name, folder):
    return default_config_parser(str(FOLDER / f"{name}.py"), dict(save_path=str(folder / "exp"))).data.train


@pytest.mark.parametrize("name", [*CASES, "panseg-ptv3-semantic_kitti"])
def test_a_missing_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = train_set(name, tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{train.data_root}.*does not exist") as error:
        build_dataset(train)
    assert any(word in str(error.value) for word in ("preprocess", "link"))


@pytest.mark.parametrize("name", CASES[:3])
@pytest.mark.parametrize("label", ["segment", "instance"])
def test_a_label_file_is_missing(name, label, tmp_path, monkeypatch):
    if name.startswith("semseg") and label == "instance":
        pytest.skip("semantic segmentation needs no instances")
    monkeypatch.chdir(tmp_path)
    train = train_set(name, tmp_path)
    WRITERS[train.type](Path(train.data_root))
    for path in Path(train.data_root).rglob(f"{label}*.npy"):
        path.unlink()
    with pytest.raises(ValueError, match=f"no point has .* its {label}.* preprocess"):
        build_dataset(train)[0]


@pytest.mark.parametrize("name", CASES[:3])
def test_labels_of_other_classes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = train_set(name, tmp_path)
    WRITERS[train.type](Path(train.data_root))
    for path in Path(train.data_root).rglob("segment*.npy"):
        np.save(path, np.load(path) + 500)
    with pytest.raises(ValueError, match="segment holds the labels .* num_classes"):
        build_dataset(train)[0]


def test_a_folder_without_coordinates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = train_set(CASES[0], tmp_path)
    WRITERS[train.type](Path(train.data_root))
    for path in Path(train.data_root).rglob("coord.npy"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="is empty or incomplete.*preprocess_scannet"):
        build_dataset(train)
    shutil.rmtree(train.data_root)


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_trainer_stops_at_a_missing_split(split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = f"data/scannet/{split} does not exist; ScanNetDataset with data_root='data/scannet', split='{split}'"
    with pytest.raises(FileNotFoundError, match=f"{words}.*preprocess_scannet"):
        trainer_without(f"data/scannet/{split}")


def test_readers_that_find_nothing_and_say_nothing_are_named():
    class Reader(list):
        data_root, split = "data/mine", ["train", "extra"]

    class Joined(list):
        datasets = [[1, 2], Reader()]

    words = r"Reader with data_root='data/mine', split=\['train', 'extra'\] holds no scene; preprocess or link"
    for dataset in (Reader(), Joined([1, 2])):
        with pytest.raises(ValueError, match=words):
            require_scenes(dataset)
    assert require_scenes(full := Reader([1])) is full
    said = []
    assert require_scenes(joined := Joined([1, 2]), said.append) is joined
    assert len(said) == 1 and re.search(words, said[0]) and said[0].endswith("Training goes on without it")
    with pytest.raises(ValueError, match=words):
        require_scenes(Joined(), said.append)
    with pytest.raises(ValueError, match="the dataset list holds no scene"):
        require_scenes([])

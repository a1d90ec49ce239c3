"""What Pointcept's readers let pass, or refuse: our trainer stops at a missing folder, and reads labeled points."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from pointcept.engines import train as engine

from pointins_ext.errors import require_scenes
from pointins_ext.host import TRAINERS, build_dataset
from tests.fixtures.missing_data import trainer_without
from tests.fixtures.shrunk_downstream import FOLDER, load


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_missing_split_is_named(split):
    words = f"ScanNetDataset with data_root='data/scannet', split='{split}' holds no scene; preprocess or link the data"
    with pytest.raises(ValueError, match=words):
        trainer_without(f"data/scannet/{split}")
    assert engine.build_dataset is build_dataset


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_split_of_several_is_named(missing, tmp_path):
    splits = ["Area_1", "Area_2"]
    (tmp_path / splits[1 - missing] / "office_1").mkdir(parents=True)
    for kind in ("S3DISDataset", "DefaultDataset"):
        dataset = build_dataset(dict(type=kind, split=splits, data_root=str(tmp_path)))
        assert len(dataset) == 1  # Pointcept takes what there is
        with pytest.raises(ValueError, match=f"{kind} with .*split=.'{splits[missing]}'. holds no scene"):
            require_scenes(dataset)
        assert dataset.split == splits
    (tmp_path / splits[missing] / "office_1").mkdir(parents=True)
    assert len(require_scenes(build_dataset(dict(type="S3DISDataset", split=splits, data_root=str(tmp_path))))) == 2


def test_a_missing_part_of_several_is_named_and_training_goes_on(caplog):
    logging.getLogger("pointcept").addHandler(caplog.handler)
    trainer = trainer_without("data/s3dis", "pretrain-sonata-ptv3-indoor")
    (said,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "S3DISDataset with data_root='data/s3dis', split=['Area_1'" in said
    assert [len(part) > 0 for part in trainer.train_loader.dataset.datasets].count(False) == 1


def test_labeled_points_of_the_benchmark_may_be_arrays(tmp_path):
    cfg = load(FOLDER / "label_efficiency" / "semseg-ptv3-scannet-la20.py")
    scenes = [path.name for path in Path(cfg.data.train.data_root, "train").iterdir()]
    file = tmp_path / cfg.data.train.la_file
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({scene: np.arange(20) for scene in scenes}, file)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    assert len(trainer.train_loader.dataset.la[scenes[0]]) == 20

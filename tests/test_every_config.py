"""Every shipped config as it is, without any option: it resolves, builds its model, and its trainer is made of it.

Nothing is trained; data sets of the real kinds are tiny, at the place where the config expects them.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.engine import comm as embedded_comm
from pointins_ext.host import TESTERS, TRAINERS, Config, comm, default_config_parser, default_setup, read_config
from tests.fixtures.empty_weights import leave_weights_empty
from tests.fixtures.tiny_datasets import WRITERS, room, write_arrays

FOLDER = Path(__file__).parents[1] / "configs" / "pointins"
CONFIGS = sorted(path for path in FOLDER.rglob("*.py") if "_base_" not in path.parts)
RUNTIME = set(Config.fromfile(str(FOLDER / "_base_" / "default_runtime.py")))
IDS = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in CONFIGS]
LABELED_POINTS, LABELED_SCENES = (20, 50, 100, 200), (1, 5, 10, 20)
# what a config may set beside the runtime's keys: what a run is made of, and what a user may want to change
PARTS = {"model", "data", "hooks", "optimizer", "scheduler", "epoch", "eval_epoch", "test"}
KNOBS = {"base_lr", "grid_size", "data_root", "split", "all_splits", "drop_color", "drop_normal"}
KNOBS |= {"num_rooms", "room_seed", "scene_seed", "num_drives", "drive_seed", "sensor"}
FULL_SIZE = [p for p in CONFIGS if ("ptv3" in p.stem or "litept" in p.stem) and "rooms" not in p.stem]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with every data set that a config names."""
    folder = tmp_path_factory.mktemp("every_config")
    roots = dict(
        scannet="ScanNetDataset",
        s3dis="S3DISDataset",
        structured3d="Structured3DDataset",
        nuscenes="NuScenesDataset",
        semantic_kitti="SemanticKITTIDataset",
        waymo="WaymoDataset",
    )
    for root, kind in roots.items():
        WRITERS[kind](folder / "data" / root)
    for number, split in enumerate(("train",) * 5 + ("val",)):
        coord, instance = room(number)
        write_arrays(folder / "data" / "scans" / split / f"scan{number}", coord=coord, instance=instance)
    scenes = [scene.name for scene in (folder / "data" / "scannet" / "train").iterdir()]
    tasks = folder / "data" / "scannet" / "tasks"
    (tasks / "points").mkdir(parents=True)
    (tasks / "scenes").mkdir()
    for number in LABELED_POINTS:
        torch.save({scene: list(range(number)) for scene in scenes}, tasks / "points" / f"points{number}")
    for number in LABELED_SCENES:
        (tasks / "scenes" / f"{number}.txt").write_text("\n".join(scenes))
    return folder


@pytest.fixture(autouse=True)
def cheap(place, tmp_path, monkeypatch):
    """Weights without values, and rooms and drives that nobody generates."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(place / "data")
    leave_weights_empty(monkeypatch)
    monkeypatch.setattr("pointins_ext.datasets.generated.GeneratedDataset._generate", lambda *entry: dict())


@pytest.mark.parametrize("path", CONFIGS, ids=IDS)
def test_it_makes_its_trainer(path):
    said = Config.fromfile(str(path))
    assert {"epoch", "eval_epoch", "batch_size", "clip_grad", "amp_dtype"} <= set(said), "it leaves this to the host"
    assert set(read_config(str(path), {})) <= RUNTIME | PARTS | KNOBS, "a helper's name lands in the run's config"
    cfg = default_setup(default_config_parser(str(path), {}))
    expected = [dict(hook) for hook in cfg.hooks]
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))

    assert [type(hook).__name__ for hook in trainer.hooks] == [hook["type"] for hook in expected]
    assert cfg.epoch % cfg.eval_epoch == 0 and trainer.max_epoch == cfg.eval_epoch <= 100
    assert cfg.data.train.loop == cfg.epoch // cfg.eval_epoch and len(trainer.train_loader) > 0
    assert (trainer.val_loader is None) != cfg.evaluate
    groups = trainer.optimizer.param_groups
    assert len(groups) == 1 + len(cfg.param_dicts or ())
    # a linear probe freezes the backbone, where the blocks are
    assert all(group["params"] for group in groups[: 1 if cfg.model.get("freeze_backbone") else None])
    # the scheduler starts every group at a tenth of its highest rate
    rates = cfg.scheduler.max_lr if len(groups) > 1 else [cfg.scheduler.max_lr]
    assert [group["lr"] for group in groups] == pytest.approx([rate / cfg.scheduler.div_factor for rate in rates])
    assert trainer.scheduler.total_steps == len(trainer.train_loader) * cfg.eval_epoch
    if "test" in cfg and path.stem.split("-")[0].endswith("seg"):
        assert TESTERS.get(cfg.test.type) is not None


def test_full_size_batches_are_shared_by_any_usual_number_of_gpus(monkeypatch):
    monkeypatch.setattr(embedded_comm, "all_gather", lambda value: [value])
    for path in FULL_SIZE:
        cfg = default_config_parser(str(path), {})
        for processes in (1, 2, 4, 8):
            for module in (comm, embedded_comm):
                monkeypatch.setattr(module, "get_world_size", lambda number=processes: number)
            assert default_setup(cfg).batch_size_per_gpu * processes == cfg.batch_size, (path.stem, processes)


@pytest.mark.parametrize("path", FULL_SIZE, ids=lambda path: path.stem)
def test_learning_rates_follow_the_square_root_of_the_scenes_of_a_step(path):
    """Through our parser, on either host, whichever of the three is changed; every group by the same factor."""
    cfg = default_config_parser(str(path), {})
    rates = np.array(cfg.scheduler.max_lr)
    assert cfg.optimizer.lr == rates[0] and [group["lr"] for group in cfg.param_dicts] == list(rates[1:])
    size = cfg.batch_size
    changes = [
        (dict(batch_size=4 * size), 2),
        (dict(batch_size=size // 4, gradient_accumulation_steps=4), 1),
        (dict(base_lr=3 * cfg.base_lr), 3),
    ]
    for options, factor in changes:
        changed = default_config_parser(str(path), options)
        np.testing.assert_allclose(changed.scheduler.max_lr, factor * rates)
        assert changed.optimizer.lr == pytest.approx(factor * rates[0])


def test_there_are_as_many_as_the_folder_has():
    assert len(CONFIGS) > 90 and len(FULL_SIZE) > 40
    assert {path.parent.name for path in CONFIGS} == {"pointins", "ablations", "label_efficiency"}

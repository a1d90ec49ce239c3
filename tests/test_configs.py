"""Every shipped config, shrunk and trained for two steps: one while warming up, one with the offset loss on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.host import MODELS, NAME, TRAINERS, Config, default_config_parser, default_setup
from pointins_ext.inference import load_predictor
from pointins_ext.ops import segment_count

CONFIGS = sorted((Path(__file__).parents[1] / "configs" / "pointins").glob("*.py"))

pytestmark = pytest.mark.skipif(NAME != "embedded", reason="shipped configs are tried on the embedded host")


def write_scans(folder, num_scans=2, scale=1.0):
    """Scene folders of a floor with boxes, without colours."""
    for number in range(num_scans):
        generator = np.random.default_rng(number)
        floor = generator.uniform((0, 0, 0), (2.4, 2.0, 0.0), (5000, 3)) + generator.normal(0, 2e-3, (5000, 3))
        boxes = []
        for i in range(3):
            point = generator.uniform(-0.25, 0.25, (1200, 3))
            axis = np.arange(1200) % 3
            point[np.arange(1200), axis] = 0.25 * np.sign(point[np.arange(1200), axis])
            boxes.append(point + (0.4 + 0.75 * i, 1.0, 0.4))
        scan = folder / f"scan{number}"
        scan.mkdir(parents=True)
        np.save(scan / "coord.npy", np.concatenate([floor, *boxes]).astype(np.float32) * np.float32(scale))
    return folder


def load(path, tmp_path):
    """The config with two small scenes, two steps and small views; nothing else is changed."""
    options = dict(save_path=str(tmp_path / "exp"), epoch=1, eval_epoch=1, batch_size=1, num_worker=0, seed=0)
    text = path.read_text()
    if "num_rooms" in text:
        options["num_rooms"] = 2
    if "data_root" in text:
        options["data_root"] = str(write_scans(tmp_path / "scans"))
    cfg = default_config_parser(str(path), options)
    if cfg.model.pretrainer.type not in MODELS:
        pytest.skip(f"{cfg.model.pretrainer.type} is Pointcept's")
    cfg.model.offset_warmup_steps = 1
    if cfg.data.train.type == "SyntheticRoomsDataset":
        cfg.data.train.room = dict(density=1500.0, num_objects=(3, 4))
    for transform in cfg.data.train.transform:
        if transform["type"] == "MultiViewGenerator":
            transform["max_size"] = 2000
    for hook in cfg.hooks:
        if hook["type"] == "OffsetMonitor":
            hook["every"] = 2
    return default_setup(cfg)


def read_scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_two_steps(path, tmp_path):
    cfg = load(path, tmp_path)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()

    scalars = read_scalars(cfg.save_path)
    losses = scalars["train_batch/offset_loss"]
    assert len(losses) == 2 and losses[0] == 0.0 < losses[1]
    assert all(np.isfinite(values).all() for tag, values in scalars.items())
    assert scalars["train_batch/offset_matched"][1] > 0.1
    assert {"offset/valid_share", "canary/cosine", "params/odr_strength"} <= set(scalars)
    moved = {name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    assert {"student.offset_head.mlp.3.weight", "teacher.offset_head.mlp.3.weight"} <= moved
    assert any(name.startswith("student.backbone") for name in moved)

    predictor = load_predictor(Path(cfg.save_path) / "model" / "model_last.pth", device="cpu")
    scene = trainer.train_loader.dataset.get_data(0)
    predictor.scale = 1.0  # a dataset's scenes have the size that the network sees
    prediction = predictor(scene)
    label = torch.from_numpy(prediction.instances(min_points=20))
    assert len(label) == len(scene["coord"]) and np.isfinite(prediction.offset).all()
    assert segment_count(label[label >= 0], int(label.max()) + 1).min() > 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_says_what_it_is_and_brings_the_plugin(path):
    text = path.read_text()
    assert text.startswith('"""') and "_base_" in text
    cfg = Config.fromfile(str(path))
    assert cfg.custom_imports["imports"] == ["pointins_ext"] and not cfg.enable_wandb
    types = [hook["type"] for hook in cfg.hooks]
    assert types.index("ModelHook") < types.index("ODRHook") < types.index("SCRHook") < types.index("OffsetMonitor")
    assert types[0] == "CheckpointLoader" and types[-1] == "CheckpointSaver"

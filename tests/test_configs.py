"""Every shipped pretraining config, shrunk, for two steps: one while warming up, one with the offset loss on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.host import NAME, TRAINERS, Config, build_model
from pointins_ext.host.flash import disable_flash
from pointins_ext.inference import load_predictor
from pointins_ext.ops import segment_count
from tests.fixtures.empty_weights import leave_weights_empty
from tests.fixtures.scalars import read_scalars
from tests.fixtures.shrunk_pretraining import CONFIGS, NAMES, datasets, load

WIDTHS = dict(coord=3, color=3, normal=3, strength=1)
# what a pretrainer reports, and what of it is above zero where its data are as they should be
LOSSES = {
    "DOS-v1m1": ("same_loss", "cross_loss"),
    "Sonata-v1m1": ("mask_loss", "roll_mask_loss", "unmask_loss"),
    "PSA-v1m1": ("contrast_loss", "box_loss"),
}
# On Pointcept these, of every pretrainer and every reader; all of them with `-m slow`. The embedded host trains every
# one, and every pipeline and trainer is made on both: tests/pointcept/test_pipelines.py, test_every_config.py.
ON_POINTCEPT = (
    "pretrain-sonata-ptv3-indoor",
    "pretrain-psa-ptv3-outdoor",
    "pretrain-dos-scans",
    "pretrain-sonata-rooms",
)
TRAINED = [
    pytest.param(path, marks=pytest.mark.slow if NAME == "pointcept" and path.stem not in ON_POINTCEPT else ())
    for path in CONFIGS
]


@pytest.mark.parametrize("path", TRAINED, ids=NAMES)
def test_two_steps(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load(path)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    before = {name: p.detach().clone() for name, p in trainer.model.pretrainer.named_parameters()}
    trainer.train()

    scalars = read_scalars(cfg.save_path)
    losses = scalars["train_batch/offset_loss"]
    assert len(losses) == 2 and losses[0] == 0.0 < losses[1]
    assert all(np.isfinite(values).all() for tag, values in scalars.items())
    # in one of the steps: crops of 3,000 points may show no cluster in both views, and then PSA has nothing to contrast
    assert min(max(scalars[f"train_batch/{name}"]) for name in LOSSES[cfg.model.pretrainer.type]) > 0
    assert scalars["train_batch/offset_matched"][1] > 0  # objects alone are taught, a few in so small a crop
    assert {"offset/valid_share", "params/odr_strength"} <= set(scalars)
    assert ("canary/cosine" in scalars) == ("color" in str(cfg.data.train.transform))
    moved = {name for name, p in trainer.model.pretrainer.named_parameters() if not torch.equal(p, before[name])}
    assert {"student.offset_head.mlp.3.weight", "teacher.offset_head.mlp.3.weight"} <= moved
    assert any(name.startswith("student.backbone") for name in moved)

    predictor = load_predictor(Path(cfg.save_path) / "model" / "model_last.pth", device="cpu")
    scene = trainer.train_loader.dataset.get_data(0)
    predictor.scale = 1.0  # a dataset's scenes have the size that the network sees
    prediction = predictor(scene)
    label = torch.from_numpy(prediction.instances(min_points=20))
    assert len(label) == len(scene["coord"]) and np.isfinite(prediction.offset).all()
    assert (segment_count(label[label >= 0], int(label.max()) + 1) > 0).all()


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_full_size_networks_fit_their_data(path, monkeypatch):
    leave_weights_empty(monkeypatch)
    cfg = Config.fromfile(str(path))
    pretrainer, transforms = cfg.model.pretrainer, {t["type"]: t for t in cfg.data.train.transform}
    disable_flash(cfg.model)
    with torch.device("meta" if NAME == "embedded" else "cpu"):  # Pointcept's drop path wants numbers
        model = build_model(cfg.model)
    stages = pretrainer.backbone.enc_channels[-1 - pretrainer.up_cast_level :]
    assert sum(stages) == pretrainer.head_in_channels == model.student["offset_head"].mlp[0].in_features
    keys = [key.removeprefix("global_") for key in transforms["Collect"]["global_feat_keys"]]
    assert pretrainer.backbone.in_channels == sum(WIDTHS[key] for key in keys)
    assert transforms["GridSample"]["grid_size"] == transforms["Update"]["keys_dict"]["grid_size"]
    backbone = sum(p.numel() for p in model.student["backbone"].parameters())
    if "litept" in path.stem:
        assert sum(stages) == 900 and 11e6 < backbone < 13e6  # published as 12.7 M, with its decoder
    if "ptv3" in path.stem:
        assert sum(stages) == 896 and 35e6 < backbone < 42e6  # the paper's "lightweight" PTv3 has 39 M
    if "ptv3" in path.stem or "litept" in path.stem:
        # a learning rate for every block, falling towards the stem
        names = [name for name, p in model.named_parameters() if p.requires_grad]
        assert all(any(group["keyword"] in name for name in names) for group in cfg.param_dicts)
        rates = [group["lr"] for group in cfg.param_dicts]
        assert len(rates) == 14 and rates == sorted(rates) and rates[-1] == cfg.base_lr
        assert list(cfg.scheduler.max_lr) == [cfg.base_lr, *rates]


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_a_config_says_what_it_is_and_brings_the_plugin(path):
    text = path.read_text()
    assert text.startswith('"""') and "_base_" in text
    cfg = Config.fromfile(str(path))
    assert cfg.custom_imports["imports"] == ["pointins_ext"] and not cfg.enable_wandb
    assert cfg.train.type == "PointINSTrainer" and "ElasticDistortion" not in str(cfg.data)
    types = [hook["type"] for hook in cfg.hooks]
    assert types.index("ModelHook") < types.index("ODRHook") < types.index("SCRHook") < types.index("OffsetMonitor")
    assert types[0] == "WeightLoader" and types[-1] == "CheckpointSaver"


@pytest.mark.skipif(NAME != "embedded", reason="overrides of variables are the embedded host's")
def test_all_splits_and_sonatas_size_are_one_override_each():
    config = CONFIGS[NAMES.index("pretrain-sonata-ptv3-indoor")]
    default, every = Config.fromfile(str(config)), Config.fromfile(str(config), dict(all_splits=True))
    assert [d["split"] for d in datasets(default)][1:] == [[f"Area_{i}" for i in (1, 2, 3, 4, 6)], ["train"]]
    assert sum(len(d["split"]) for d in datasets(every)) == 3 + 6 + 3
    size = dict(enc_depths=(3, 3, 3, 12, 3), enc_channels=(48, 96, 192, 384, 512), enc_num_head=(3, 6, 12, 24, 32))
    large = Config.fromfile(str(config), size)
    assert large.model.pretrainer.head_in_channels == 1088 and len(large.param_dicts) == 24
    assert large.model.pretrainer.backbone.enc_num_head == size["enc_num_head"] and "enc_depths" not in large

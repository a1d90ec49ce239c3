"""Every downstream config, shrunk: two training steps, an evaluation and a test on data in the real layout."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.host import NAME, TESTERS, TRAINERS, Config, build_model
from pointins_ext.host.flash import disable_flash
from tests.fixtures.scalars import read_scalars
from tests.fixtures.shrunk_downstream import FOLDER, load

CONFIGS = sorted(path for path in FOLDER.glob("*seg-*.py"))
NAMES = [path.stem for path in CONFIGS]
# On Pointcept one of each kind; all of them with `-m slow`. The embedded host trains every one.
ON_POINTCEPT = ("insseg-ptv3-s3dis-dec", "insseg-ptv3-scannet-lin", "panseg-ptv3-nuscenes", "semseg-ptv3-scannet-lin")
TRAINED = [
    pytest.param(path, marks=pytest.mark.slow if NAME == "pointcept" and path.stem not in ON_POINTCEPT else ())
    for path in CONFIGS
]
INDOOR, OUTDOOR = ("scannet", "scannet200", "s3dis"), ("nuscenes", "semantic_kitti")
METRIC = dict(semseg=("semantic", "miou", "mIoU"), insseg=("instance", "map", "mAP"), panseg=("panoptic", "pq", "PQ"))


@pytest.mark.parametrize("path", TRAINED, ids=NAMES)
def test_train_evaluate_and_test(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load(path)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()

    scalars = read_scalars(cfg.save_path)
    assert len(scalars["train_batch/loss"]) == 2
    assert all(np.isfinite(values).all() for tag, values in scalars.items() if tag.startswith("train"))
    moved = {name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    assert "seg_head.weight" in moved
    frozen = {"lin": "backbone", "dec": "backbone.enc"}.get(path.stem.rsplit("-", 1)[1])
    assert not any(name.startswith(frozen) for name in moved) if frozen else any("backbone.enc" in n for n in moved)
    if not path.stem.endswith("-lin"):
        assert any(name.startswith("backbone.dec") for name in moved)

    task, metric, tag = METRIC[path.stem.split("-")[0]]
    table = json.loads(Path(cfg.save_path, "results", f"{task}.json").read_text())
    ignored = cfg.model.get("segment_ignore_index", ())
    assert list(table["classes"]) == [name for i, name in enumerate(cfg.data.names) if i not in ignored]
    assert 0 <= table["metrics"][metric] <= 1
    assert scalars[f"val/{tag}"] == pytest.approx([table["metrics"][metric]])
    assert Path(cfg.save_path, "model", "model_best.pth").is_file()

    cfg.weight = str(Path(cfg.save_path, "model", "model_last.pth"))
    tested = TESTERS.build(dict(cfg.test, cfg=cfg, save=True)).test()
    table = json.loads(Path(cfg.save_path, "results", f"{task}.json").read_text())
    assert table["weight"] == cfg.weight and table["metrics"][metric] == pytest.approx(tested[metric])
    saved = sorted(Path(cfg.save_path, "result").glob("*.npz"))
    assert len(saved) == len(trainer.val_loader.dataset)
    assert {"segment", "instance"} & set(np.load(saved[0]).files)


@pytest.mark.skipif(NAME != "embedded", reason="one host is enough")
@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_heads_fit_the_backbone(path):
    cfg = Config.fromfile(str(path))
    backbone = cfg.model.backbone
    width = sum(backbone.enc_channels) if backbone.enc_mode else backbone.dec_channels[0]
    assert cfg.model.backbone_out_channels == width
    protocol = path.stem.rsplit("-", 1)[1]
    assert cfg.model.freeze_backbone == backbone.enc_mode == (protocol == "lin")
    if backbone.type != "LitePT-v1":  # its encoder stands still by a rate of 0
        assert backbone.freeze_encoder == (protocol == "dec")
    disable_flash(cfg.model)
    with torch.device("meta"):
        model = build_model(dict(cfg.model, criteria=[]))
    number = next(value for key, value in cfg.model.items() if key.endswith("num_classes"))
    assert model.seg_head.weight.shape == (number, width) and len(cfg.data.names) == cfg.data.num_classes == number


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_what_is_published_stays_to_the_key(path):
    """What the benchmarks share: Mix3D, drop path, clustering, classes left out; best by mIoU, mAP or PQ."""
    cfg = Config.fromfile(str(path))
    hooks = [hook["type"] for hook in cfg.hooks]
    evaluator, tester = METRIC[path.stem.split("-")[0]][0], cfg.test.type
    assert hooks[0] == "WeightLoader" and hooks[-1] == "CheckpointSaver"
    assert hooks[3].startswith({"semantic": "Semantic", "instance": "Instance", "panoptic": "PanSeg"}[evaluator])
    assert tester == hooks[3].replace("Evaluator", "Tester")
    assert cfg.mix_prob == 0.8 and cfg.evaluate
    if "ptv3" in path.stem or "litept" in path.stem:
        data = path.stem.split("-")[2]
        assert cfg.model.backbone.drop_path == 0.3
    if path.stem.startswith(("insseg-ptv3", "insseg-litept")):
        rules = cfg.model.cluster_closed_points, cfg.model.cluster_propose_points, cfg.model.cluster_min_points
        assert rules == (600, 200, 50) and cfg.model.cluster_thresh * cfg.model.voxel_size == pytest.approx(0.03)
        left_out = dict(scannet=(-1, 0, 1), scannet200=(-1, 0, 2), s3dis=(-1,), rooms=(-1, 0, 1))[data]
        assert tuple(cfg.model.segment_ignore_index) == tuple(cfg.test.segment_ignore_index) == left_out
    if path.stem.startswith(("panseg-ptv3", "panseg-litept")):
        assert cfg.test.min_points == dict(nuscenes=15, rooms=15, semantic_kitti=50)[data]


def test_the_table_is_complete():
    wanted = {f"{task}-ptv3-{data}" for task in ("semseg", "insseg") for data in INDOOR}
    wanted |= {f"{task}-ptv3-{data}" for task in ("semseg", "panseg") for data in OUTDOOR}
    assert {name + protocol for name in wanted for protocol in ("", "-lin", "-dec")} <= set(NAMES)

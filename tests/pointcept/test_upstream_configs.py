"""`-e pointins` on every pretraining config that Pointcept ships: what README's table says of it is seen here."""

import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from pointcept.models.sonata.sonata_v1m1_base import Sonata

from pointins_ext.cli.request import configured
from pointins_ext.host import MODELS, TRAINERS, default_config_parser, default_setup
from tests.fixtures.upstream_pretraining import CONFIGS, IDS, IMAGES, OPTIONS, shrink, use_tiny_image_encoder

README = Path(__file__).parents[2] / "configs" / "pointins" / "README.md"
ROWS = dict(re.findall(r"^\| `([a-z0-9]+/[\w-]+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
RUNS = "yes | yes | yes | yes"
# of the classes and data sets of others: python -m pytest -m slow
ALIKE = ("concerto/pretrain-concerto-v1m1-1-large-base", "concerto/pretrain-concerto-v1m1-2-large-video")
CASES = [pytest.param(p, id=i, marks=pytest.mark.slow if i in ALIKE else ()) for p, i in zip(CONFIGS, IDS, strict=True)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tiny_image_encoder(monkeypatch)


def switched(path, **options):
    images = IMAGES if "crop_h = " in path.read_text(encoding="utf-8") else {}
    options = OPTIONS | images | options | dict(save_path="exp/run")
    return configured(default_config_parser, Namespace(config_file=str(path), extend="pointins", options=options))


def test_readme_lists_what_pointcept_ships():
    assert sorted(ROWS) == IDS


@pytest.mark.parametrize("path", CASES)
def test_it_trains_and_resumes_or_says_why_not(path, request):
    row = ROWS[request.node.callspec.id]
    if row != RUNS:
        with pytest.raises(ValueError) as refused:
            switched(path)
        reason = str(refused.value).partition(": ")[2].partition("; ")[0]
        assert row == f"no: {reason} | - | - | -"
        return
    cfg = switched(path, batch_size=2, epoch=2, eval_epoch=2)
    shrink(cfg)
    steps = run_stopped_and_resumed(cfg)
    assert "enc2d_loss" not in steps[0] or float(steps[-1]["enc2d_loss"]) > 0


def run_stopped_and_resumed(cfg):
    """What the model gave in every step of two epochs, the second by a trainer that resumes the first."""
    steps = []
    for epochs in (1, 2):
        trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=default_setup(cfg)))
        trainer.max_epoch = epochs
        trainer.model.register_forward_hook(lambda model, batch, result: steps.append(result))
        trainer.train()
        cfg.update(resume=True, weight="exp/run/model/model_last.pth")
    assert trainer.start_epoch == 1 and len(steps) == 2 * len(trainer.train_loader)
    assert float(steps[0]["offset_loss"]) == 0 < float(steps[-1]["offset_loss"])
    return steps


@MODELS.register_module("LAM3C-v1m1", force=True)
class LAM3C(Sonata):
    """Of the shape of LAM3C (CVPR 2026): Sonata, a pass of the student on noisy points more, and two losses on it."""

    def forward(self, data_dict, return_point=False):
        result = super().forward(data_dict, return_point)
        keys = ("coord", "origin_coord", "feat", "offset")
        points = {key: data_dict[f"global_{key}"] for key in keys} | dict(grid_size=data_dict["grid_size"][0])
        noisy = points | dict(feat=points["feat"] + 0.01 * torch.randn_like(points["feat"]))
        feat = self.student.backbone(noisy).feat
        smoothness, consistency = (feat[1:] - feat[:-1]).square().mean(), feat.square().mean()
        loss = result["loss"] + 0.01 * (smoothness + consistency)
        return result | dict(loss=loss, laplacian_loss=smoothness.detach(), noise_loss=consistency.detach())


def test_a_pretrainer_of_the_shape_of_lam3c():
    cfg = switched(CONFIGS[IDS.index("sonata/pretrain-sonata-v1m1-0-base")], batch_size=2, epoch=2, eval_epoch=2)
    shrink(cfg)
    cfg.model.pretrainer.type = "LAM3C-v1m1"
    last = run_stopped_and_resumed(cfg)[-1]
    assert float(last["laplacian_loss"]) > 0 and float(last["offset_matched"]) > 0

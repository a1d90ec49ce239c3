"""`-e pointins` on every pretraining config that Pointcept ships: what README's table says of it is seen here."""

import re
from argparse import Namespace
from pathlib import Path

import pytest

from pointins_ext.cli.request import configured
from pointins_ext.host import TRAINERS, default_config_parser, default_setup
from tests.fixtures.upstream_pretraining import CONFIGS, IDS, OPTIONS, shrink, use_tiny_image_encoder

README = Path(__file__).parents[2] / "configs" / "pointins" / "README.md"
ROWS = dict(re.findall(r"^\| `([a-z0-9]+/[\w-]+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
RUNS = "yes | yes | yes | yes"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tiny_image_encoder(monkeypatch)


def switched(path, **options):
    options = {key: value for key, value in (OPTIONS | options).items() if key not in OPTIONS or _has(path, key)}
    args = Namespace(config_file=str(path), extend="pointins", options={**options, "save_path": "exp/run"})
    return configured(default_config_parser, args)


def _has(path, key):
    return re.search(rf"^{key} = ", path.read_text(encoding="utf-8"), re.MULTILINE) or key in ("enable_wandb", "seed")


def test_readme_lists_what_pointcept_ships():
    assert sorted(ROWS) == IDS


@pytest.mark.parametrize("path", CONFIGS, ids=IDS)
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
    steps = []
    for epochs in (1, 2):  # stopped after the first, and called again
        trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=default_setup(cfg)))
        trainer.max_epoch = epochs
        trainer.model.register_forward_hook(lambda model, batch, result: steps.append(result))
        trainer.train()
        cfg.update(resume=True, weight="exp/run/model/model_last.pth")
    assert trainer.start_epoch == 1 and len(steps) == 2 * len(trainer.train_loader)
    assert float(steps[0]["offset_loss"]) == 0 < float(steps[-1]["offset_loss"])
    assert "enc2d_loss" not in steps[0] or float(steps[-1]["enc2d_loss"]) > 0

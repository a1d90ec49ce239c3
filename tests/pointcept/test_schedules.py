"""Schedules and configs of the two hosts: the same values over a run, the same tree from every shipped config."""

from pathlib import Path

import pytest
import torch
from pointcept.utils.optimizer import build_optimizer as pointcept_optimizer
from pointcept.utils.scheduler import CosineScheduler as PointceptCosine
from pointcept.utils.scheduler import build_scheduler as pointcept_scheduler

from pointins_ext.checkpoint import read_dumped_config
from pointins_ext.embedded.config import Config as EmbeddedConfig
from pointins_ext.embedded.optimizer import build_optimizer
from pointins_ext.embedded.scheduler import CosineScheduler, build_scheduler
from pointins_ext.host import Config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs" / "pointins").glob("*.py"))
SCHEDULERS = [
    dict(type="OneCycleLR", max_lr=0.01, pct_start=0.1, anneal_strategy="cos", div_factor=10.0, final_div_factor=0.4),
    dict(type="OneCycleLR", max_lr=[0.01, 0.001], pct_start=0.05, anneal_strategy="cos", final_div_factor=1000.0),
]
STEPS = 57
# Pointcept lays out what it dumps, a second or more each: these as an experiment has them, the others as one line a key
LAID_OUT = ("pretrain-sonata-ptv3-indoor", "insseg-ptv3-s3dis-lin", "panseg-drives-dec")


@pytest.fixture
def plain_dumps():
    """Here each test decides itself."""


def rates(config, make_optimizer, make_scheduler, scheduler):
    model = torch.nn.ModuleDict(dict(stem=torch.nn.Linear(2, 2), block=torch.nn.Linear(2, 2)))
    cfg = config(
        dict(
            optimizer=dict(type="AdamW", lr=0.01),
            param_dicts=[dict(keyword="block", lr=0.001)],
            scheduler=dict(**scheduler, total_steps=STEPS),
        )
    )
    optimizer = make_optimizer(cfg.optimizer, model, cfg.param_dicts)
    scheduler = make_scheduler(cfg.scheduler, optimizer)
    values = []
    for _ in range(STEPS - 1):
        values.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda cfg: cfg["type"])
def test_learning_rates_over_a_run(scheduler):
    theirs = rates(Config, pointcept_optimizer, pointcept_scheduler, scheduler)
    torch.testing.assert_close(
        rates(EmbeddedConfig, build_optimizer, build_scheduler, scheduler), theirs, rtol=1e-12, atol=0
    )
    assert theirs.std(0).min() > 0


@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_cosine_values_over_a_run(warmup):
    kwargs = dict(base_value=0.4, final_value=0.9, total_iters=STEPS, start_value=0.1, warmup_iters=warmup)
    ours, theirs = CosineScheduler(**kwargs), PointceptCosine(**kwargs)
    for _ in range(STEPS + 3):
        assert ours.step() == pytest.approx(theirs.step(), rel=1e-12)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_is_the_same_tree(path, tmp_path, monkeypatch):
    theirs, ours = Config.fromfile(str(path)), EmbeddedConfig.fromfile(str(path))
    for helper in [key for key in theirs if key.startswith("_")]:  # Pointcept keeps what is for children alone
        del theirs._cfg_dict[helper]
    assert plain(ours._cfg_dict) == plain(theirs._cfg_dict)
    if path.stem not in LAID_OUT:
        monkeypatch.setattr("pointcept.utils.config.FormatCode", lambda text, **_: (text, True))
    theirs.dump(str(tmp_path / "dumped.py"))  # what an experiment folder keeps
    assert plain(EmbeddedConfig.fromfile(str(tmp_path / "dumped.py"))._cfg_dict) == plain(theirs._cfg_dict)
    assert read_dumped_config(tmp_path / "dumped.py") == plain(theirs._cfg_dict)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value

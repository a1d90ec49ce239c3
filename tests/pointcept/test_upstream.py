"""What we do not own stays: upstream configs train bit by bit as without us, and upstream's script runs ours."""

import os
import sys
from argparse import Namespace

import pytest

from pointins_ext.cli.request import configured
from pointins_ext.host import TRAINERS, default_config_parser, default_setup
from tests.fixtures.run_command import ROOT, run
from tests.fixtures.tiny_pointcept import write_config, write_scenes

POINTCEPT = os.environ["POINTCEPT_ROOT"]
OPTIONS = dict(epoch=4, eval_epoch=4, enable_wandb=False)


@pytest.fixture(scope="module")
def sonata(tmp_path_factory):
    """Folder with two scenes and an upstream-style Sonata config."""
    folder = tmp_path_factory.mktemp("upstream")
    write_scenes(folder / "data")
    write_config(folder / "sonata.py", POINTCEPT, folder / "data", "Sonata-v1m1")
    return folder


def upstream(folder, config, name, *options):
    script = [sys.executable, ROOT / "tests" / "fixtures" / "upstream_train.py", POINTCEPT, "--config-file", config]
    given = [f"{key}={value}" for key, value in OPTIONS.items()]
    return run(folder, [*script, "--options", f"save_path={folder / name}", *given, *options])


def ours(folder, name, extend=None, **options):
    """Trains in this process, which has Pointcept imported; the config that it trains."""
    options = OPTIONS | dict(save_path=str(folder / name), **options)
    cfg = configured(
        default_config_parser, Namespace(config_file=str(folder / "sonata.py"), extend=extend, options=options)
    )
    TRAINERS.build(dict(type=cfg.train.type, cfg=default_setup(cfg))).train()
    return cfg


def losses(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("train_batch/")]
    return {tag: [event.value for event in events.Scalars(tag)] for tag in tags}


def test_sonata_without_the_branch_is_untouched_pointcept(sonata):
    upstream(sonata, "sonata.py", "upstream", "model.backbone.enable_flash=False")
    # the loader too: upstream's calls .cuda() on checkpoints, and there is none here
    ours(sonata, "plain", **{"train.type": "PointINSTrainer"})
    expected = losses(sonata / "upstream")
    assert len(expected["train_batch/loss"]) == 4 and len(set(expected["train_batch/loss"])) == 4
    assert losses(sonata / "plain") == expected


def test_a_switched_config_runs_from_pointcepts_own_script(sonata):
    changes = str(ours(sonata, "switched", "pointins").pointins_changes)
    assert "Sonata-v1m1 inside PointINS-v1m1" in changes and "ElasticDistortion taken out of 2" in changes
    config = sonata / "switched" / "config.py"
    assert "pointins_changes" in config.read_text()
    upstream(sonata, config, "script", "train.type=DefaultTrainer", "model.pretrainer.backbone.enable_flash=False")
    found = losses(sonata / "script")
    assert found == losses(sonata / "switched")
    assert len(found["train_batch/offset_loss"]) == 4 and min(found["train_batch/offset_loss"]) > 0

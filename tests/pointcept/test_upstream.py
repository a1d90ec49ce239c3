"""What we do not own stays: upstream configs train bit by bit as without us, and upstream's script runs ours."""

import os
import sys

import pytest

from tests.fixtures.run_command import ROOT, run
from tests.fixtures.tiny_pointcept import write_config, write_scenes

POINTCEPT = os.environ["POINTCEPT_ROOT"]
STEPS = ["epoch=4", "eval_epoch=4", "enable_wandb=False"]


@pytest.fixture(scope="module")
def sonata(tmp_path_factory):
    """Folder with two scenes and an upstream-style Sonata config."""
    folder = tmp_path_factory.mktemp("upstream")
    write_scenes(folder / "data")
    write_config(folder / "sonata.py", POINTCEPT, folder / "data", "Sonata-v1m1")
    return folder


def upstream(folder, config, name, *options):
    script = [sys.executable, ROOT / "tests" / "fixtures" / "upstream_train.py", POINTCEPT, "--config-file", config]
    return run(folder, [*script, "--options", f"save_path={folder / name}", *STEPS, *options])


def ours(folder, name, *flags, options=()):
    script = ["sh", ROOT / "tools" / "train.sh", "-p", sys.executable, "-d", "tiny", "-n", name, "-c", "sonata"]
    return run(folder, [*script, *flags, "--", *STEPS, *options])


def losses(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("train_batch/")]
    return {tag: [event.value for event in events.Scalars(tag)] for tag in tags}


def test_sonata_without_the_branch_is_untouched_pointcept(sonata):
    upstream(sonata, "sonata.py", "upstream", "model.backbone.enable_flash=False")
    # the loader too: upstream's calls .cuda() on checkpoints, and there is none here
    ours(sonata, "plain", options=["train.type=PointINSTrainer"])
    expected = losses(sonata / "upstream")
    assert len(expected["train_batch/loss"]) == 4 and len(set(expected["train_batch/loss"])) == 4
    assert losses(sonata / "exp" / "tiny" / "plain") == expected


def test_a_switched_config_runs_from_pointcepts_own_script(sonata):
    printed = ours(sonata, "switched", "-e", "pointins")
    assert "Sonata-v1m1 inside PointINS-v1m1" in printed and "ElasticDistortion taken out of 2" in printed
    config = sonata / "exp" / "tiny" / "switched" / "config.py"
    assert "pointins_changes" in config.read_text()
    upstream(sonata, config, "script", "train.type=DefaultTrainer", "model.pretrainer.backbone.enable_flash=False")
    found = losses(sonata / "script")
    assert found == losses(sonata / "exp" / "tiny" / "switched")
    assert len(found["train_batch/offset_loss"]) == 4 and min(found["train_batch/offset_loss"]) > 0

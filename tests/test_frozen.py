"""What version 0.1.0 wrote before its redesign still loads, resumes and gives the same numbers.

tests/frozen holds the third of four epochs of a tiny PointINS-on-DOS on one room, in the middle of an accumulation
window, and the config.py of its experiment, to the letter.
"""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.checkpoint import read_checkpoint
from pointins_ext.embedded.config import Config
from pointins_ext.host import NAME, default_config_parser
from pointins_ext.inference import load_predictor
from pointins_ext.run import train
from tests.fixtures.scalars import read_scalars

FROZEN = Path(__file__).parent / "frozen"
CHECKPOINT = FROZEN / "checkpoint.pth"
# of the undisturbed run at its end, where GridSample sorts stably: it and Pointcept's leave equal cells in the order of
# the processor's sort, which is another one with AVX-512 (without it the loss is 5.405885, as 0.1.0 wrote)
LAST_LOSS = 5.604638
HEAD, HEAD_SUM = "student.offset_head.mlp.3.weight", -0.0029923


@pytest.fixture
def experiment(tmp_path):
    shutil.copy(FROZEN / "config.py.txt", tmp_path / "config.py")
    return tmp_path


def test_the_config_reads_as_the_checkpoint_says(experiment):
    assert Config.fromfile(str(experiment / "config.py")).to_dict() == read_checkpoint(CHECKPOINT)["config"]


def test_offsets_are_those_of_then():
    coord = np.random.default_rng(0).uniform(0, 1, (2000, 3)).astype(np.float32)
    scene = dict(coord=coord, color=coord * 255, normal=np.tile(np.float32([0, 0, 1]), (2000, 1)))
    prediction = load_predictor(CHECKPOINT, device="cpu")(scene)
    assert np.abs(prediction.offset).sum() == pytest.approx(10.765489, rel=1e-4)
    assert np.abs(prediction.feat).sum() == pytest.approx(12113.115, rel=1e-4)  # those of the loss stage


@pytest.mark.skipif(NAME != "embedded", reason="a run of the embedded host")
def test_the_run_goes_on_where_it_was(experiment, monkeypatch):
    monkeypatch.chdir(experiment)
    monkeypatch.setattr(np, "argsort", partial(np.argsort, kind="stable"))
    cfg = default_config_parser("config.py", dict(save_path="exp", resume=True, weight=str(CHECKPOINT)))
    train(cfg)
    assert read_scalars("exp")["train_batch/loss"] == pytest.approx([LAST_LOSS], rel=1e-3)
    # also the gradients that were waiting for the fourth batch
    weight = read_checkpoint("exp/model/model_last.pth")["state_dict"][HEAD]
    assert float(weight.double().sum()) == pytest.approx(HEAD_SUM, rel=1e-3)

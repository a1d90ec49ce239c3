"""Pointcept's tester and ours on one checkpoint: one split, one score."""

import pytest
import torch
from pointcept.engines import test as theirs

from pointins_ext.host import TESTERS, TRAINERS
from pointins_ext.host.pointcept_model import cuda_stays_here
from tests.fixtures.shrunk_downstream import FOLDER, load


@pytest.fixture(autouse=True)
def without_a_gpu(tmp_path, monkeypatch):
    """Pointcept's testers put everything on a GPU; what is put there stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda module, *args: module)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)


def trained(name):
    """A shrunk config, its data in place, after two steps; its checkpoint is our trainer's on Pointcept."""
    cfg = load(FOLDER / f"{name}.py")
    cfg.evaluate = False
    TRAINERS.build(dict(type=cfg.train.type, cfg=cfg)).train()
    cfg.weight = "exp/tiny/model/model_last.pth"
    return cfg


def their_scores(cfg, words):
    """What Pointcept's tester logs about the whole split."""
    lines = []
    logger = theirs.get_root_logger()
    write, logger.info = logger.info, lambda line: lines.append(str(line))
    try:
        with cuda_stays_here():
            TESTERS.build(dict(cfg.test, cfg=cfg)).test()
    finally:
        logger.info = write
    (line,) = [line for line in lines if line.startswith(words)]
    return line


@pytest.mark.parametrize("name", ["semseg-ptv3-scannet", "semseg-ptv3-scannet-lin"])
def test_both_score_semantics_alike_when_the_type_of_the_tester_alone_changes(name):
    cfg = trained(name)
    cfg.test = dict(type="SemSegTester", verbose=True)  # as in Pointcept's configs
    line = their_scores(cfg, "Val result: mIoU")
    cfg.test.type = "SemanticTester"
    ours = TESTERS.build(dict(cfg.test, cfg=cfg)).test()
    expected = [float(score) for score in line.split()[-1].split("/")]
    # the curves of attention are shuffled, so a point in a thousand may change its class
    assert [ours[key] for key in ("miou", "macc", "allacc")] == pytest.approx(expected, abs=2e-3)
    assert 0 < ours["allacc"] < 1

"""PointINSTrainer on Pointcept: runs of a few steps, and schedules that follow the optimizer."""

import os

import pytest
import torch
from pointcept.engines.hooks.misc import WeightDecaySchedular
from pointcept.utils.scheduler import CosineScheduler

from pointins_ext.engine.step import TrainingStep
from pointins_ext.host import TRAINERS, default_config_parser, default_setup
from tests.fixtures.tiny_training import CONFIG

RUNTIME = os.path.join(os.environ["POINTCEPT_ROOT"], "configs", "_base_", "default_runtime.py")
HOOKS = """
enable_wandb = False
evaluate = False
hooks = [dict(type="WeightLoader"), dict(type="WeightDecaySchedular", base_value=0.1, final_value=0.5)]
"""


@pytest.fixture
def train(tmp_path):
    """train(**options) -> the trainer of a finished run, and the weight decay of every step of its optimizer."""

    def run(**options):
        path = tmp_path / "tiny.py"
        path.write_text(f"_base_ = [{RUNTIME!r}]\n" + CONFIG + HOOKS)
        cfg = default_setup(default_config_parser(str(path), dict(save_path=str(tmp_path / "run"), **options)))
        trainer = TRAINERS.build(dict(type="PointINSTrainer", cfg=cfg))
        used = []
        trainer.optimizer.register_step_pre_hook(lambda o, *_: used.append(o.param_groups[0]["weight_decay"]))
        trainer.train()
        return trainer, used

    return run


def test_the_weight_decay_follows_the_steps_of_the_optimizer(train):
    """3 epochs of 4 batches, and a window of 5."""
    trainer, used = train(epoch=3, eval_epoch=3, gradient_accumulation_steps=5)
    assert isinstance(trainer.hooks[1], WeightDecaySchedular) and trainer.scheduler.last_epoch == 2
    assert used == pytest.approx([CosineScheduler(0.1, 0.5, 2).get(i) for i in range(2)])


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_of_a_few_steps(train, steps):
    options = {"epoch": steps, "eval_epoch": steps, "batch_size": 8, "scheduler.pct_start": 1 / steps}
    trainer, used = train(**options)
    assert len(used) == trainer.scheduler.last_epoch == steps
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())


def test_a_run_that_would_never_step_is_named(train):
    with pytest.raises(ValueError, match="gradient_accumulation_steps = 9, but the whole run has 4 batches"):
        train(epoch=1, eval_epoch=1, gradient_accumulation_steps=9)


def test_both_hosts_make_the_same_step():
    """Pointcept's own goes on after a loss that is not finite, and does not know `skip_nonfinite`."""
    assert TRAINERS.get("PointINSTrainer").run_step is TrainingStep.run_step

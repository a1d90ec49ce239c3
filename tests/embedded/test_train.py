import sys
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.fixtures.tiny_training import weights


def test_events_metrics_and_files(build_trainer, tmp_path):
    trainer = build_trainer(epoch=2)
    trainer.train()
    step = ["before_step", "after_step"]
    epoch = ["before_epoch", *step * 4, "after_epoch"]
    assert trainer.model.events == ["before_train", *epoch * 2, "after_train"]
    assert trainer.comm_info["iter_per_epoch"] == 4 and trainer.cfg.scheduler.total_steps == 8
    assert trainer.val_loader is None and trainer.scheduler.last_epoch == 8
    scalars = EventAccumulator(str(tmp_path / "run")).Reload()
    assert {"train_batch/half", "train_batch/loss", "train/loss", "params/lr"} <= set(scalars.Tags()["scalars"])
    losses = [event.value for event in scalars.Scalars("train_batch/loss")]
    assert scalars.Scalars("train/loss")[0].value == pytest.approx(sum(losses[:4]) / 4, rel=1e-5)
    log = (tmp_path / "run" / "train.log").read_text()
    assert "Train: [2/2][4/4]" in log and "Points/s" in log
    assert (tmp_path / "run" / "model" / "model_last.pth").is_file()


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_a_run_of_a_few_steps(build_trainer, steps):
    decay = dict(type="WeightDecaySchedular", _delete_=True)
    trainer = build_trainer(epoch=steps, batch_size=8, scheduler__pct_start=1 / steps, hooks__2=decay)
    before = weights(trainer).clone()
    trainer.train()
    assert trainer.scheduler.last_epoch == steps and torch.isfinite(weights(trainer)).all()
    assert not torch.equal(weights(trainer), before)


def test_wandb_follows_tensorboard_where_it_is_asked_for(build_trainer, monkeypatch):
    started = []
    wandb = SimpleNamespace(init=lambda **options: started.append(options), Settings=dict)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    build_trainer(epoch=1).train()
    assert not started
    trainer = build_trainer("mine", epoch=1)
    trainer.cfg.update(enable_wandb=True, wandb_project="rooms")
    trainer.train()
    (options,) = started
    assert options["project"] == "rooms" and options["name"].endswith("/mine") and options["sync_tensorboard"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    trainer = build_trainer("other", epoch=1)
    trainer.cfg.enable_wandb = True
    with pytest.raises(ValueError, match="needs wandb: pip install wandb, or set enable_wandb=False"):
        trainer.train()

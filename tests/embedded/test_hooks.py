"""Hooks of the training loop: what they write, count and load."""

import io

import pytest
import torch

from pointins_ext.embedded.scheduler import CosineScheduler


def test_looping_and_save_frequency(build_trainer, tmp_path):
    trainer = build_trainer(epoch=4, eval_epoch=2, hooks__5__save_freq=2)
    trainer.train()
    assert len(trainer.train_loader) == 8
    assert {file.name for file in (tmp_path / "run" / "model").iterdir()} == {"model_last.pth", "epoch_2.pth"}


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_weight_decay_follows_the_steps_of_the_optimizer(build_trainer, accumulate):
    """4 epochs of 4 batches, stopped in the third epoch and resumed; of the last window the run has only a part."""
    decay = dict(hooks__2=dict(type="WeightDecaySchedular", base_value=0.1, final_value=0.5, _delete_=True))
    options = dict(gradient_accumulation_steps=accumulate, **decay)
    used = {}

    def train(**more):
        trainer = build_trainer("decay", **options, **more)

        def note(optimizer, *_):
            used[trainer.scheduler.last_epoch] = optimizer.param_groups[0]["weight_decay"]

        trainer.optimizer.register_step_pre_hook(note)
        trainer.train()

    with pytest.raises(KeyboardInterrupt):
        train(hooks__4__stop_after=10)
    train(resume=True)
    total = 16 // accumulate
    assert used == {i: CosineScheduler(0.1, 0.5, total).get(i) for i in range(total)}


def test_progress_bar(build_trainer, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    build_trainer(epoch=1, hooks__3__progress=True).train()
    assert "4/4" in stream.getvalue() and "points/s" in stream.getvalue()


def test_result_entries_are_scalars(build_trainer):
    trainer = build_trainer()
    trainer.model.forward = lambda batch: dict(loss=trainer.model.head.weight.sum(), feat=torch.zeros(2))
    with pytest.raises(ValueError, match="'feat' must be a scalar tensor"):
        trainer.train()

"""One training step: accumulation, half precision, losses that are not finite."""

import re
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.fixtures.tiny_training import weights

CONSTANT = dict(
    type="OneCycleLR", max_lr=0.5, div_factor=1.0, final_div_factor=1.0, cycle_momentum=False, _delete_=True
)
SGD = dict(optimizer=dict(type="SGD", lr=0.5, _delete_=True), scheduler=CONSTANT)


NO_RANDOMNESS = dict(model__dropout=0.0, data__train__noise=0.0)


def test_accumulation_equals_the_large_batch(build_trainer):
    large = build_trainer("large", batch_size=8, epoch=3, **SGD, **NO_RANDOMNESS)
    small = build_trainer("small", batch_size=2, epoch=3, gradient_accumulation_steps=4, **SGD, **NO_RANDOMNESS)
    small.model.load_state_dict(large.model.state_dict())
    before = weights(large).clone()
    large.train()
    small.train()
    assert small.cfg.scheduler.total_steps == large.cfg.scheduler.total_steps == 3
    assert (weights(large) - before).abs().max() > 0.01
    torch.testing.assert_close(weights(small), weights(large), rtol=0, atol=1e-6)


def test_clip_grad_bounds_the_step(build_trainer):
    trainer = build_trainer(epoch=1, batch_size=8, clip_grad=1e-3, **SGD)
    before = weights(trainer).clone()
    trainer.train()
    assert (weights(trainer) - before).norm().item() == pytest.approx(0.5e-3, rel=1e-3)


def test_amp_on_the_cpu_is_bfloat16_or_off(build_trainer):
    assert build_trainer(enable_amp=True).amp_dtype is (torch.float16 if torch.cuda.is_available() else None)
    trainer = build_trainer(enable_amp=True, amp_dtype="bfloat16", epoch=1)
    trainer.train()
    assert trainer.amp_dtype is torch.bfloat16 and trainer.scaler is None
    with pytest.raises(ValueError, match="amp_dtype is one of .* found 'half'"):
        build_trainer(enable_amp=True, amp_dtype="half")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_float16_scales_and_trains(build_trainer):
    trainer = build_trainer(enable_amp=True, epoch=2)
    trainer.train()
    assert trainer.scaler is not None and torch.isfinite(weights(trainer)).all()


def test_a_loss_that_is_not_finite_names_entry_and_scenes(build_trainer, tmp_path):
    trainer = build_trainer(data__train__bad_scene=3)
    with pytest.raises(FloatingPointError, match="first bad entry of the result is 'half' = nan, scenes .*scene3"):
        trainer.train()
    assert torch.isfinite(weights(trainer)).all()
    log = (tmp_path / "run" / "train.log").read_text()
    assert re.search(r"FloatingPointError: epoch 1, step \d: the loss is not finite; .* scenes .*'scene3'", log)


def test_a_batch_of_one_row_names_its_scenes(build_trainer):
    trainer = build_trainer(data__train__num_scenes=1)
    trainer.model.head.register_forward_hook(lambda *_: torch.nn.BatchNorm1d(1)(torch.zeros(1, 1)))
    with pytest.raises(ValueError, match="epoch 1, step 1: a BatchNorm .* gets one row, scenes .*scene0.*: .* larger"):
        trainer.train()


def test_a_loss_that_is_not_finite_is_skipped_where_asked(build_trainer, tmp_path):
    trainer = build_trainer(data__train__bad_scene=3, skip_nonfinite=True, epoch=2, data__train__noise=0.0)
    updates, warnings = [], []
    trainer.optimizer.register_step_post_hook(lambda *_: updates.append(1))
    trainer.logger = SimpleNamespace(info=lambda *_, **__: None, warning=warnings.append, error=lambda *_, **__: None)
    trainer.train()
    steps = len(trainer.train_loader) * trainer.max_epoch
    assert trainer.skipped == trainer.max_epoch and len(updates) == steps - trainer.skipped
    assert torch.isfinite(weights(trainer)).all()
    assert len(warnings) == trainer.skipped and all("scene3" in line for line in warnings)
    assert "the 2. of this run" in warnings[-1]
    counted = EventAccumulator(str(tmp_path / "run")).Reload().Scalars("params/skipped_steps")
    assert [event.value for event in counted] == [1, 2]

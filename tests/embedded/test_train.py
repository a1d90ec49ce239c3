import io
import re
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pointins_ext.embedded.defaults import default_config_parser
from pointins_ext.embedded.hooks import CheckpointLoader
from pointins_ext.embedded.logger import get_root_logger
from pointins_ext.embedded.scheduler import CosineScheduler
from pointins_ext.engine import comm

SGD = dict(optimizer=dict(type="SGD", lr=0.5, _delete_=True), scheduler=dict(type="ConstantLR", _delete_=True))
NO_RANDOMNESS = dict(model__dropout=0.0, data__train__noise=0.0)


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


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


def test_looping_and_save_frequency(build_trainer, tmp_path):
    trainer = build_trainer(epoch=4, eval_epoch=2, hooks__5__save_freq=2)
    trainer.train()
    assert len(trainer.train_loader) == 8
    assert {file.name for file in (tmp_path / "run" / "model").iterdir()} == {"model_last.pth", "epoch_2.pth"}


@pytest.mark.parametrize("epoch, eval_epoch", [(3, 3), (100, 100), (800, 100)])
def test_a_config_without_eval_epoch_is_scored_as_often_as_on_pointcept(
    tiny_config, tmp_path, caplog, epoch, eval_epoch
):
    with caplog.at_level("INFO", "pointins_ext"):
        get_root_logger().addHandler(caplog.handler)
        cfg = default_config_parser(tiny_config, dict(save_path=str(tmp_path / "run"), epoch=epoch))
    assert (cfg.eval_epoch, cfg.data.train.loop) == (eval_epoch, epoch // eval_epoch)
    assert f"no eval_epoch, so eval_epoch = {eval_epoch} of epoch = {epoch}" in caplog.text
    caplog.clear()
    default_config_parser(tiny_config, dict(save_path=str(tmp_path / "run"), epoch=epoch, eval_epoch=1))
    assert "eval_epoch" not in caplog.text
    get_root_logger().removeHandler(caplog.handler)


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


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_a_run_of_a_few_steps(build_trainer, steps):
    decay = dict(type="WeightDecaySchedular", _delete_=True)
    trainer = build_trainer(epoch=steps, batch_size=8, scheduler__pct_start=1 / steps, hooks__2=decay)
    before = weights(trainer).clone()
    trainer.train()
    assert trainer.scheduler.last_epoch == steps and torch.isfinite(weights(trainer)).all()
    assert not torch.equal(weights(trainer), before)


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


def test_weight_is_loaded_with_renaming(build_trainer, tmp_path):
    source = build_trainer("source", epoch=1)
    source.train()
    path = tmp_path / "source" / "model" / "model_last.pth"
    trainer = build_trainer("target", weight=str(path))
    hook = CheckpointLoader(keywords="module.head", replacement="module.backbone")
    hook.trainer = trainer
    with pytest.raises(ValueError, match="makes 4 names 2"):
        hook.before_train()
    hook = CheckpointLoader()
    hook.trainer = trainer
    hook.before_train()
    assert torch.equal(weights(trainer), weights(source)) and trainer.start_epoch == 0


def test_resume_needs_a_checkpoint_of_a_run(build_trainer, tmp_path):
    with pytest.raises(FileNotFoundError, match="model_last.pth not found"):
        build_trainer(resume=True).train()
    path = tmp_path / "bare.pth"
    torch.save(build_trainer().model.state_dict(), path)
    with pytest.raises(ValueError, match="cannot resume from .* lacks .'epoch', 'optimizer', 'scheduler'"):
        build_trainer(resume=True, weight=str(path)).train()
    build_trainer(epoch=2).train()
    with pytest.raises(ValueError, match="schedule has 8 steps and this config 12"):
        build_trainer(resume=True, epoch=3).train()


@pytest.mark.parametrize(
    "options, error, match",
    [
        (dict(epoch=5, eval_epoch=2), ValueError, "multiple of eval_epoch"),
        (dict(epoch=250), ValueError, "epoch = 250 must be a multiple of eval_epoch = 100"),
        (dict(batch_size=0), ValueError, "batch_size = 0, expected a whole number of at least 1"),
        (dict(data__train__num_scenes=0), ValueError, "TinyScenes holds no scene"),
        (dict(evaluate=True), KeyError, "data = dict.val="),
        (dict(model__type="TinyModle"), KeyError, "did you mean 'TinyModel'"),
        (dict(model__widht=1), ValueError, "TinyModel: unknown key 'widht'"),
    ],
)
def test_wrong_configs(build_trainer, options, error, match):
    with pytest.raises(error, match=match):
        build_trainer(**options)


def test_one_process_without_a_group():
    value = dict(loss=torch.ones(()))
    assert (comm.get_world_size(), comm.get_rank(), comm.get_local_rank()) == (1, 0, 0)
    assert comm.all_gather(3) == [3] and comm.gather(3) == [3] and comm.reduce_dict(value) is value
    comm.synchronize()

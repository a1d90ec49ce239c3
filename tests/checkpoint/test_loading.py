"""What a run does with cfg.weight."""

import pytest
import torch

from pointins_ext.embedded.hooks import CheckpointLoader
from tests.fixtures.tiny_training import weights


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

"""The smallest model, dataset and hooks that the training loop can run; imported through `custom_imports`."""

import os
import random
import signal

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from pointins_ext.host import DATASETS, HOOKS, MODELS, HookBase

POINTS = 6


@DATASETS.register_module(force=True)
class TinyScenes(Dataset):
    """Scenes of 6 points; `noise` adds jitter from all three generators."""

    def __init__(self, num_scenes=8, noise=0.1, loop=1, bad_scene=None):
        self.num_scenes, self.noise, self.loop, self.bad_scene = num_scenes, noise, loop, bad_scene

    def __len__(self):
        return self.num_scenes * self.loop

    def __getitem__(self, index):
        scene = index % self.num_scenes
        coord = torch.linspace(-1, 1, POINTS * 3).reshape(POINTS, 3).roll(scene, 0) * (1 + scene / 10)
        coord = coord + self.noise * (random.random() + float(np.random.rand()) + torch.rand(POINTS, 3))
        if scene == self.bad_scene:
            coord = coord * float("nan")
        return dict(coord=coord, offset=torch.tensor([POINTS]), name=f"scene{scene}")


@MODELS.register_module(force=True)
class TinyModel(nn.Module, HookBase):
    """Regression of the norm of a point; records the training events it receives."""

    def __init__(self, width=4, dropout=0.0):
        super().__init__()
        self.backbone = nn.Linear(3, width)
        self.head = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)
        self.events = []

    def forward(self, batch):
        coord = batch["coord"]
        predicted = self.head(self.dropout(self.backbone(coord).tanh()))
        error = (predicted - coord.norm(dim=1, keepdim=True)).square().mean()
        return dict(half=error / 2, loss=error)

    def before_train(self):
        self.events.append("before_train")

    def before_epoch(self):
        self.events.append("before_epoch")

    def before_step(self):
        self.events.append("before_step")

    def after_step(self):
        self.events.append("after_step")

    def after_epoch(self):
        self.events.append("after_epoch")

    def after_train(self):
        self.events.append("after_train")


@HOOKS.register_module(force=True)
class LossRecorder(HookBase):
    """Appends every loss, exact, to losses.txt; kills or stops the process after `stop_after` steps."""

    def __init__(self, stop_after=None, kill=False):
        self.stop_after, self.kill = stop_after, kill

    def before_train(self):
        self.steps = self.trainer.start_epoch * len(self.trainer.train_loader)

    def after_step(self):
        self.steps += 1
        loss = self.trainer.comm_info["model_output_dict"].get("loss", torch.tensor(torch.nan)).item()  # nan: skipped
        with open(os.path.join(self.trainer.cfg.save_path, "losses.txt"), "a") as file:
            file.write(f"{self.steps} {loss.hex()}\n")
        if self.steps == self.stop_after and self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.steps == self.stop_after:
            raise KeyboardInterrupt


CONFIG = """
custom_imports = dict(imports=["tests.oracles.tiny_training"], allow_failed_imports=False)
seed = 3
save_path = "unset"
epoch = 4
batch_size = 2
num_worker = 0
model = dict(type="TinyModel", dropout=0.3)
optimizer = dict(type="AdamW", lr=0.05)
scheduler = dict(type="OneCycleLR", max_lr=0.05)
data = dict(train=dict(type="TinyScenes"))
hooks = [
    dict(type="CheckpointLoader"),
    dict(type="ModelHook"),
    dict(type="IterationTimer"),
    dict(type="InformationWriter"),
    dict(type="LossRecorder"),
    dict(type="CheckpointSaver"),
]
"""

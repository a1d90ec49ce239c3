"""The loop that evaluators and testers share: predict, score, join the processes."""

import random
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from pointins_ext.engine import comm
from pointins_ext.engine.step import to_device


@dataclass
class Tally:
    """What a process has scored so far."""

    metric: object
    scenes: int = 0
    losses: dict = field(default_factory=dict)  # name -> sum over scenes
    overlooked: set = field(default_factory=set)  # classes that have instances and are not scored

    def merge(self, other):
        """Adds what another process has scored."""
        self.metric.merge(other.metric)
        self.scenes += other.scenes
        self.overlooked |= other.overlooked
        for name, value in other.losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + value


@dataclass(frozen=True)
class Score:
    """Result of all processes."""

    result: dict  # of the metric's compute
    losses: dict  # name -> mean over scenes
    scenes: int
    overlooked: set


def score_scenes(task, model, loader, read=None, keep=None) -> Score:
    """Score the scenes of `loader` with `task`, the same answer in every process.

    read: function of model and batch that gives the losses and a list of (prediction, target) of a batch; None: one
    pass of the batch through the model. keep: called with name, prediction and target of every scene that counts.
    A model under DistributedDataParallel is run bare. It is in evaluation mode meanwhile, without gradients, and has
    random numbers of its own, so that its scores repeat and training goes on as if it had not been scored.
    """
    model = getattr(model, "module", model)
    read = read or (lambda model, batch: one_pass(task, model, batch))
    device = next(model.parameters()).device
    tally = Tally(task.new_metric())
    position, step, number = comm.get_rank(), comm.get_world_size(), len(loader.dataset)
    with evaluation_mode(model), torch.no_grad(), own_randomness():
        for batch in loader:
            size = len(batch["offset"]) if "offset" in batch else 1
            # A sampler that fills the last round of the processes repeats scenes, always as the last of all.
            counted = [position + i * step < number for i in range(size)]
            if any(counted):
                torch.manual_seed(position)
                losses, predictions = read(model, to_device(batch, device))
                names = [batch["name"]] if isinstance(batch.get("name"), str) else batch.get("name", [None] * size)
                for name, pair, counts in zip(names, predictions, counted, strict=True):
                    if counts:
                        _add(tally, task, losses, *pair)
                        if keep is not None:
                            keep(name, *pair)
            position += size * step
    return joined(tally)


def one_pass(task, model, batch):
    """Losses and predictions of a batch in one pass through the model."""
    result = model(batch)
    losses = {name: float(v) for name, v in result.items() if "loss" in name and torch.is_tensor(v) and v.numel() == 1}
    return losses, task.predictions(result, batch)


def _add(tally, task, losses, prediction, target):
    task.score(tally.metric, prediction, target)
    tally.scenes += 1
    if "instance" in target:
        tally.overlooked |= task.overlooked(target)
    for name, value in losses.items():
        tally.losses[name] = tally.losses.get(name, 0.0) + value


def joined(tally) -> Score:
    """The score of all processes, which the main one computes."""
    tallies = comm.gather(tally)
    score = None
    if comm.is_main_process():
        first, *others = tallies
        for other in others:
            first.merge(other)
        losses = {name: value / max(first.scenes, 1) for name, value in first.losses.items()}
        score = Score(first.metric.compute(), losses, first.scenes, first.overlooked)
    return comm.all_gather(score)[0]


@contextmanager
def evaluation_mode(model):
    """The model in evaluation mode; afterwards in that which it had."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def own_randomness(seed=0):
    """Random numbers from `seed` on for torch, NumPy and Python; afterwards their streams go on as if unread."""
    python, arrays = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)

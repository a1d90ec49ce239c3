"""The scoring loop: each scene counts once, randomness and mode of the model are as before."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from pointins_ext.engine import comm, scoring
from pointins_ext.engine.scoring import Tally, evaluation_mode, own_randomness, score_scenes


class Sum:
    """A metric that adds up."""

    def __init__(self):
        self.value = 0

    def merge(self, other):
        self.value += other.value

    def compute(self):
        return dict(total=self.value)


class Adds:
    """A task whose scenes are numbers."""

    new_metric = Sum

    def predictions(self, result, batch):
        return [(value, dict(instance=value)) for value in result["value"].tolist()]

    def score(self, metric, prediction, target):
        metric.value += prediction

    def overlooked(self, target):
        return {int(target["instance"])} & {3}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, batch):
        assert not self.training and not torch.is_grad_enabled()
        return dict(
            value=batch["value"] * self.weight, loss=self.weight.sum() * len(batch["value"]), noise=torch.rand(1)
        )


class Loader(list):
    def __init__(self, sizes, dataset):
        start = np.cumsum([0, *sizes])
        super().__init__(
            dict(value=torch.arange(a, b) + 1.0, offset=torch.arange(1, b - a + 1), name=[f"s{i}" for i in range(a, b)])
            for a, b in zip(start, start[1:], strict=False)
        )
        self.dataset = range(dataset)


def test_every_scene_counts_once_whatever_the_batches():
    kept = []
    score = score_scenes(Adds(), Model(), Loader([2, 2, 1], 5), keep=lambda name, *pair: kept.append(name))
    assert score.result == dict(total=15) and score.scenes == 5 and kept == [f"s{i}" for i in range(5)]
    assert score.losses == dict(loss=pytest.approx((2 + 2 + 2 + 2 + 1) / 5)) and score.overlooked == {3}


def test_scenes_that_fill_the_last_round_do_not_count(monkeypatch):
    """Of 5 scenes on two processes the second gets a sixth, which is a repetition."""
    monkeypatch.setattr(comm, "get_rank", lambda: 1)
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    monkeypatch.setattr(scoring, "joined", lambda tally: tally)
    tally = score_scenes(Adds(), Model(), Loader([1, 1, 1], 5))
    assert tally.scenes == 2 and tally.metric.value == 1 + 2


def test_tallies_of_processes_add_up():
    first, second = Tally(Sum(), 2, dict(loss=3.0), {1}), Tally(Sum(), 1, dict(loss=1.0, other=5.0), {2})
    first.metric.value, second.metric.value = 10, 5
    first.merge(second)
    assert (first.metric.value, first.scenes, first.overlooked) == (15, 3, {1, 2})
    assert first.losses == dict(loss=4.0, other=5.0)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_comes_back_also_after_an_error(training):
    model = Model().train(training)
    with pytest.raises(RuntimeError), evaluation_mode(model):
        assert not model.training
        raise RuntimeError
    assert model.training == training


def test_randomness_inside_repeats_and_outside_goes_on():
    def draw():
        return random.random(), np.random.random(), torch.rand(1).item()

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = [draw(), draw()]
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    first = draw()
    with own_randomness():
        inside = draw()
    with own_randomness():
        assert draw() == inside
    assert [first, draw()] == expected

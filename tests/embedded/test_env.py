"""Random state: seeds repeat, and a saved state goes on where it was, through a file that is read without code."""

import random

import numpy as np
import pytest
import torch

from pointins_ext.embedded import env


def draw():
    return random.random(), np.random.normal(), torch.rand(1).item()


@pytest.fixture(autouse=True)
def state_of_before():
    state = env.get_rng_state()
    yield
    env.set_rng_state(state)


def test_a_seed_repeats_in_all_three_and_another_does_not():
    env.set_seed(5)
    first = draw()
    env.set_seed(5)
    assert draw() == first
    env.set_seed(6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_a_saved_state_goes_on_where_it_was(tmp_path):
    env.set_seed(1)
    draw()  # an odd number of normals: numpy keeps the second one of a pair
    torch.save(env.get_rng_state(), tmp_path / "state.pth")
    expected = [draw() for _ in range(3)]
    env.set_seed(2)
    env.set_rng_state(torch.load(tmp_path / "state.pth", weights_only=True))
    assert [draw() for _ in range(3)] == expected


def test_fresh_seeds_differ_and_are_valid():
    seeds = {env.get_random_seed() for _ in range(50)}
    assert len(seeds) > 45 and all(0 <= seed < 2**31 for seed in seeds)


def test_workers_follow_the_seed_that_torch_drew_for_them():
    torch.manual_seed(11)
    env.seed_worker(0)
    first = random.random(), np.random.random()
    torch.manual_seed(12)
    env.seed_worker(0)
    second = random.random(), np.random.random()
    torch.manual_seed(11)
    env.seed_worker(3)
    assert first == (random.random(), np.random.random()) and first != second

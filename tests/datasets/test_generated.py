"""What datasets of procedural scenes share, on scenes that are nothing but their random numbers."""

import numpy as np
import pytest

from pointins_ext.datasets.generated import GeneratedDataset


class Numbers(GeneratedDataset):
    KIND = "number"
    calls = 0

    def generate(self, seed, name, count=4):
        type(self).calls += 1
        return dict(name=name, coord=np.random.default_rng(seed).random((count, 3)).astype(np.float32))


def scenes(**options):
    dataset = Numbers(**options)
    return [dataset.get_data(i)["coord"].tobytes() for i in range(len(dataset))]


def test_scenes_of_all_splits_and_seeds_differ_and_more_scenes_change_none():
    found = [scene for split in ("train", "val", "test") for seed in (0, 1) for scene in scenes(split=split, seed=seed)]
    assert len(set(found)) == len(found) == 6 * 60
    assert scenes(num_scenes=5) == scenes(num_scenes=60)[:5]
    assert scenes(split=["val", "train"], num_scenes=2) == [*scenes(split="val")[:2], *scenes()[:2]]


@pytest.mark.parametrize("cache", [True, False])
def test_a_scene_may_be_written_to(cache):
    dataset = Numbers(num_scenes=1, cache=cache)
    first = dataset.get_data(0)["coord"]
    first += 1
    assert not np.array_equal(dataset.get_data(0)["coord"], first)
    assert dataset.get_data(0)["coord"].tobytes() == scenes(num_scenes=1)[0]


def test_a_cache_generates_each_scene_once(monkeypatch):
    monkeypatch.setattr(Numbers, "calls", 0)
    dataset = Numbers(num_scenes=3, loop=2)
    for i in range(len(dataset)):
        dataset.get_data(i)
    assert len(dataset) == 6 and Numbers.calls == 3


def test_names_say_split_seed_and_place_and_knobs_arrive():
    dataset = Numbers(split=["val", "test"], num_scenes=2, seed=7, knobs=dict(count=9))
    assert [dataset.get_data_name(i) for i in range(4)] == [
        f"number_{s}_7_000{i}" for s in ("val", "test") for i in (0, 1)
    ]
    assert dataset.get_data(3)["split"] == "test" and dataset.get_data(3)["coord"].shape == (9, 3)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(split="trian"), "split is 'trian': Numbers knows train, val, test"),
        (dict(split=[]), "Numbers knows"),
        (dict(num_scenes=0), "num_scenes is 0: Numbers needs at least 1"),
        (dict(seed=-1), "seed is -1"),
    ],
)
def test_what_makes_no_data_set_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Numbers(**options)

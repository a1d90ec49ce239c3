"""Procedural rooms: repeatable, consistently labeled, partly hidden, touching but never interpenetrating."""

import numpy as np
import pytest

from pointins_ext.datasets.rooms import SyntheticRoomsDataset

COARSE = dict(density=300.0, min_points=10)


def test_splits_are_disjoint_and_repeatable():
    train, val = (SyntheticRoomsDataset(s, num_scenes=2, cache=False, room=COARSE) for s in ("train", "val"))
    rooms = [dataset.get_data(i) for dataset in (train, val) for i in range(2)]
    assert len({len(room["coord"]) for room in rooms}) == 4
    assert [room["name"] for room in rooms] == [f"room_{s}_0_000{i}" for s in ("train", "val") for i in range(2)]
    assert {room["split"] for room in rooms} == {"train", "val"}
    longer = SyntheticRoomsDataset(["val", "train"], num_scenes=3, cache=False, room=COARSE)
    np.testing.assert_array_equal(longer.get_data(0)["coord"], rooms[2]["coord"])
    np.testing.assert_array_equal(longer.get_data(4)["coord"], rooms[1]["coord"])


def test_dataset_applies_transforms_and_loops_without_spoiling_its_scenes():
    shift = [dict(type="CenterShift", apply_z=True), dict(type="ToTensor")]
    dataset = SyntheticRoomsDataset(num_scenes=1, loop=3, transform=shift, room=COARSE)
    assert len(dataset) == 3
    raw = dataset.get_data(0)["coord"].copy()
    dataset.get_data(0)["coord"] += 1.0  # as a transform that works in place does
    first, second = dataset[0], dataset[2]
    np.testing.assert_array_equal(first["coord"], second["coord"])
    np.testing.assert_array_equal(dataset.get_data(1)["coord"], raw)
    assert not np.allclose(first["coord"], raw)


def test_dataset_refuses_unknown_split_and_no_scene():
    with pytest.raises(ValueError, match="train, val, test"):
        SyntheticRoomsDataset(split="trian", num_scenes=1)
    with pytest.raises(ValueError, match="num_scenes"):
        SyntheticRoomsDataset(num_scenes=0)

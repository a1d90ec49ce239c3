"""Simulated sweeps: repeatable, on the surfaces of their objects, nothing seen through anything, labels that agree."""

import numpy as np
import pytest

from pointins_ext.datasets.drives import SyntheticDrivesDataset
from tests.fixtures.tiny_drives import SMALL


def test_splits_are_disjoint_and_repeatable():
    options = dict(num_scenes=2, cache=False, drive=SMALL)
    train, val = (SyntheticDrivesDataset(split, **options) for split in ("train", "val"))
    sweeps = [dataset.get_data(i) for dataset in (train, val) for i in range(2)]
    assert len({len(sweep["coord"]) for sweep in sweeps}) == 4
    assert [sweep["name"] for sweep in sweeps] == [f"drive_{s}_0_000{i}" for s in ("train", "val") for i in range(2)]
    assert [sweep["split"] for sweep in sweeps] == ["train", "train", "val", "val"]
    longer = SyntheticDrivesDataset(["val", "train"], num_scenes=3, drive=SMALL)
    np.testing.assert_array_equal(longer.get_data(0)["coord"], sweeps[2]["coord"])
    np.testing.assert_array_equal(longer.get_data(4)["coord"], sweeps[1]["coord"])
    with pytest.raises(ValueError, match="SyntheticDrivesDataset knows train, val, test"):
        SyntheticDrivesDataset(split="trian", num_scenes=1)

"""Panoptic datasets on top of Pointcept's readers and of the embedded ones: the same folder, the same arrays."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.host import NuScenesDataset, SemanticKITTIDataset
from tests.fixtures import tiny_datasets as tiny
from tests.fixtures.read_panoptic import CASES, read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folder of both data sets, and what the embedded host reads of it: a process binds one host."""
    folder = tmp_path_factory.mktemp("panoptic")
    tiny.write_nuscenes(folder / "nuscenes")
    tiny.write_semantic_kitti(folder / "semantic_kitti", sequences=range(22), unlabeled=range(11, 22))
    environment = dict(os.environ, POINTINS_HOST="embedded", PYTHONPATH=str(ROOT))
    script = [sys.executable, ROOT / "tests" / "fixtures" / "read_panoptic.py", folder, folder / "embedded"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder, torch.load(folder / "embedded", weights_only=False)


@pytest.mark.parametrize("case", CASES)
def test_both_hosts_read_the_same(data, case):
    assert NuScenesDataset.__module__.startswith("pointcept.") and SemanticKITTIDataset.__module__[:10] == "pointcept."
    folder, embedded = data
    theirs = read(case, folder)
    assert len(theirs) == len(embedded[case]) > 0
    for other, mine in zip(theirs, embedded[case], strict=True):
        assert other.keys() == mine.keys() == {"coord", "strength", "segment", "instance", "name"}
        assert other.pop("name") == mine.pop("name")
        for key, value in other.items():
            assert mine[key].dtype == value.dtype, key
            np.testing.assert_array_equal(mine[key], value, err_msg=key)
    labeled = "test" not in case
    void = CASES[case].get("ignore_index", -1)
    assert (np.max([scene["instance"].max() for scene in theirs]) >= 2) == labeled
    assert all((scene["segment"] == void).all() != labeled for scene in theirs)

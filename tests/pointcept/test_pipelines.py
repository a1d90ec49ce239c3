"""The training pipeline of every shipped config: the same seed gives the same sample on both hosts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.fixtures import run_pipelines
from tests.fixtures.shrunk_pretraining import NAMES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """config -> samples, of Pointcept in this process and of the embedded host in another."""
    folder = tmp_path_factory.mktemp("pipelines")
    environment = dict(os.environ, POINTINS_HOST="embedded", PYTHONPATH=str(ROOT))
    command = [sys.executable, ROOT / "tests" / "fixtures" / "run_pipelines.py", folder / "embedded"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    here = os.getcwd()
    theirs = run_pipelines.run(folder / "pointcept")
    os.chdir(here)
    assert process.wait(200) == 0, process.stderr.read()
    return torch.load(folder / "embedded" / "samples.pth", weights_only=False), theirs


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_sample(both, name):
    ours, theirs = (samples[name] for samples in both)
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys() and "global_coord" in mine
        for key, value in other.items():
            if torch.is_tensor(value):
                assert mine[key].dtype == value.dtype, key
                torch.testing.assert_close(mine[key], value, rtol=5e-7, atol=4e-6)  # ulps, of up to 80 m before a turn
            else:
                assert mine[key] == value, key
    assert not torch.equal(ours[0]["global_coord"], ours[-1]["global_coord"]) or len(ours) == 1

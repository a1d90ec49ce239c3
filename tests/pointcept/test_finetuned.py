"""Checkpoints that Pointcept's own segmentors leave, on raw scans: on Pointcept, and on the embedded host."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.readers import read_scan
from pointins_ext.inference import load_segmenter
from tests.fixtures.tiny_finetuned import Experiment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["insseg-scans", "panseg-drives", "semseg-ptv3-scannet"])
def test_a_checkpoint_of_pointcept_is_read_on_both_hosts(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = Experiment(name, tmp_path)
    experiment.write(config=None)  # Pointcept's saver keeps the config beside the weights
    experiment.cfg.dump(str(experiment.weight.parents[1] / "config.py"))
    assert type(experiment.model).__module__.startswith("pointcept.") == (experiment.kind != "PanSeg-v1m1")
    expected = experiment.evaluated()
    found = load_segmenter(experiment.weight, device="cpu")(read_scan(experiment.scan))
    labeled = expected["segment"] >= 0
    assert labeled.any() and len(np.unique(found.segment)) > 1
    np.testing.assert_array_equal(found.segment[labeled], expected["segment"][labeled])
    if "instance" in expected:
        number = np.unique(expected["instance"], return_inverse=True)[1] - 1
        assert number.max() > 0
        np.testing.assert_array_equal(found.instance, number)

    command = [sys.executable, "-m", "pointins_ext", "segment", "--weight", experiment.weight, "--no-picture"]
    environment = dict(os.environ, POINTINS_HOST="embedded", PYTHONPATH=str(ROOT))
    files = ["--input", experiment.scan, "--output", tmp_path / "out.ply"]
    done = subprocess.run([*command, *files], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    embedded = np.load(tmp_path / "out.npz")
    # the same network up to the order of sums
    assert (embedded["segment"] == found.segment).mean() > 0.99
    if found.instance is not None:
        assert abs(len(embedded["score"]) - len(found.score)) <= 1
        assert ((embedded["instance"] >= 0) == (found.instance >= 0)).mean() > 0.95

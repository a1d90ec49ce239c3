"""Runs from the first step to the last: the quickstart, and a training that is killed and resumed."""

import importlib.util
import json
import os
import signal
import subprocess
import time

import pytest
import torch

from tests.fixtures.call_verb import call_verb
from tests.fixtures.verbs import CONFIG, ROOT, TINY, command, tool

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


def test_quickstart_leaves_metrics_picture_and_report(tmp_path):
    done = tool("quickstart", "--num-rooms", 2, "--num-val", 1, "--epochs", 1, "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert {
        *("host", "device", "seed", "steps", "points_per_second", "loss_first", "loss_last", "offset_loss_last"),
        *("unsupervised", "unsupervised_planes_off", "shipped", "peak_memory_gib", "wall_seconds"),
    } <= set(metrics)
    assert metrics["shipped"].keys() == metrics["unsupervised"]["pointins"].keys()
    assert "the weights that the package ships, on the same rooms: AP50" in done.stdout
    assert metrics["steps"] == 1 and 0 < metrics["peak_memory_gib"] < 6
    assert (tmp_path / "out" / "instances.png").stat().st_size > 10_000
    report = (tmp_path / "out" / "report.html").read_text()
    assert "PointINS" in report
    if importlib.util.find_spec("plotly"):
        assert 'href="viewer.html"' in report and "out/viewer.html" in done.stdout
        assert '"truth_row":' in (tmp_path / "out" / "viewer.html").read_text()


def losses(folder):
    """Every step's loss as the log prints it; the last word where a step was run twice."""
    values = {}
    for line in (folder / "train.log").read_text().splitlines():
        if "Train: [" in line and " loss: " in line:
            values[line.split("Train: ")[1].split(" ")[0]] = line.split(" loss: ")[1].split(" Lr")[0]
    return values


def test_killed_and_resumed_ends_with_the_same_losses(tmp_path):
    options = [*TINY, "seed=3", "batch_size=1", "hooks.InformationWriter.interval=1"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = call_verb("train", "--config-file", CONFIG, "--options", *options, f"save_path={whole}")
    assert done.returncode == 0, done.stderr

    environment = dict(os.environ, POINTINS_HOST="embedded", PYTHONPATH=str(ROOT))  # as many threads as here
    arguments = command(
        "-m", "pointins_ext", "train", "--config-file", CONFIG, "--options", *options, f"save_path={killed}"
    )
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while "[2/2][1/2]" not in losses_text(killed) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(losses(killed)) < len(losses(whole)), "the run ended before it could be killed"

    done = call_verb("train", "--config-file", killed / "config.py", "--options", f"save_path={killed}", "resume=True")
    assert done.returncode == 0, done.stderr
    assert "Resuming at epoch" in losses_text(killed)
    assert losses(killed) == losses(whole)
    a, b = (torch.load(f / "model" / "model_last.pth", weights_only=True)["state_dict"] for f in (whole, killed))
    assert all(torch.equal(a[key], b[key]) for key in a)


def losses_text(folder):
    path = folder / "train.log"
    return path.read_text() if path.is_file() else ""

"""PointINS around each pretrainer, on Pointcept without compiled parts: train, be killed, resume, hand over."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.pointcept_downstream import missing_backbone_keys
from tests.fixtures.tiny_pointcept import TYPES, backbone_config, write_config, write_scenes

ROOT = Path(__file__).parents[2]
POINTCEPT = os.environ["POINTCEPT_ROOT"]
FAST = ("Sonata-v1m1",)  # the others take 40 s each: python -m pytest -m slow
CASES = [kind if kind in FAST else pytest.param(kind, marks=pytest.mark.slow) for kind in TYPES]


def train(folder, *flags):
    command = ["sh", ROOT / "tools" / "train.sh", "-p", sys.executable, "-d", "tiny", "-n", "run", "-c", "pretrain"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    output = open(folder / "output.txt", "a")
    return subprocess.Popen(
        [*command, *flags], cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
    )


def kill_at_step(process, log, step):
    """SIGKILL to the run and its workers once `step` stands in its log."""
    deadline = time.monotonic() + 240
    while f"Train: [{step}/20]" not in (log.read_text() if log.exists() else ""):
        assert process.poll() is None and time.monotonic() < deadline, "the run ended or hung before it was killed"
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("kind", CASES)
def test_twenty_steps_killed_and_resumed_feed_upstreams_instance_segmentation(kind, tmp_path):
    write_scenes(tmp_path / "data")
    write_config(tmp_path / "pretrain.py", POINTCEPT, tmp_path / "data", kind)
    log = tmp_path / "exp" / "tiny" / "run" / "train.log"
    # the canary's first turn comes before the kill
    kill_at_step(train(tmp_path, "-e", "pointins", "--", "hooks.OffsetMonitor.every=5"), log, 8)
    resumed = train(tmp_path, "-r", "true")
    assert resumed.wait(300) == 0, (tmp_path / "output.txt").read_text()[-3000:]

    text = log.read_text()
    steps = {int(step): float(loss) for step, loss in re.findall(r"Train: \[(\d+)/20\].*? offset_loss: ([\d.]+)", text)}
    assert sorted(steps) == list(range(1, 21)) and text.count("Start Training") == 2
    assert steps[1] == steps[2] == 0 and min(steps[step] for step in range(3, 21)) > 0.1  # warm-up: a tenth
    assert "Train: [1/20]" not in text[text.index("Resuming") :]

    checkpoint = tmp_path / "exp" / "tiny" / "run" / "model" / "model_last.pth"
    config = Path(POINTCEPT) / "configs" / "sonata" / "insseg-sonata-v1m1-0a-scannet-pg-lin.py"
    size = {key: value for key, value in backbone_config(kind).items() if key not in ("mask_token", "traceable")}
    assert missing_backbone_keys(config, checkpoint, size) == []


@pytest.mark.slow
def test_two_spawned_processes_train_and_their_data_workers_fork(tmp_path):
    """Children import the plug-in through the worker function; on gloo, so with DOS: gloo cannot average for Sonata."""
    write_scenes(tmp_path / "data")
    write_config(tmp_path / "pretrain.py", POINTCEPT, tmp_path / "data", "DOS-v1m1")
    overrides = ["num_worker=2", "epoch=3", "eval_epoch=3"]
    done = train(tmp_path, "-e", "pointins", "-g", "2", "--", *overrides).wait(300)
    text = (tmp_path / "output.txt").read_text()
    assert done == 0 and "Train: [3/3][1/1]" in text, text[-3000:]

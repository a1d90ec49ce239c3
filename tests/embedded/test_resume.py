import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("hidden_gpus")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_stopped_and_resumed_equals_never_stopped(build_trainer, read_losses, accumulate):
    """4 epochs of 4 steps; with 3 micro-batches a window lies across the epoch's end. Stops in the third epoch."""
    options = dict(gradient_accumulation_steps=accumulate, num_worker=0)
    build_trainer("whole", **options).train()
    with pytest.raises(KeyboardInterrupt):
        build_trainer("parts", **options, hooks__4__stop_after=10).train()
    resumed = build_trainer("parts", **options, resume=True)
    resumed.train()
    assert resumed.start_epoch == 2
    assert read_losses("parts") == read_losses("whole") and len(read_losses("whole")) == 16


def test_killed_and_resumed_equals_never_stopped(build_trainer, read_losses, tiny_config, tmp_path):
    build_trainer("whole", num_worker=2).train()
    child = os.fork()
    if child == 0:
        try:
            build_trainer("parts", num_worker=2, hooks__4__stop_after=7, hooks__4__kill=True).train()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(read_losses("parts")) == 7
    finished = run(tiny_config, tmp_path / "parts", "resume=True")
    assert finished.returncode == 0, finished.stderr
    assert "Resuming at epoch 2 of 4" in finished.stdout
    assert read_losses("parts") == read_losses("whole")


def run(config, save_path, *options):
    command = [sys.executable, "tools/train.py", "--config-file", config, "--options"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), POINTINS_HOST="embedded", OMP_NUM_THREADS="1")
    return subprocess.run(
        [*command, f"save_path={save_path}", "num_worker=2", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

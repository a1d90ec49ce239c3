"""tools/train.sh from a foreign folder: experiment folder, overrides, resume, errors in one line."""

import os
import subprocess
import sys
from pathlib import Path

from tests.oracles.tiny_training import CONFIG

ROOT = Path(__file__).parents[2]


def train(cwd, *arguments, **environment):
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT), **environment)
    command = ["sh", ROOT / "tools" / "train.sh", "-p", sys.executable, "-g", "1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_run_and_resume_from_any_folder(tmp_path):
    config = tmp_path / "tiny" / "first.py"
    config.parent.mkdir()
    config.write_text(CONFIG)
    stopped = train(tmp_path, "-c", "tiny/first", "-n", "a b", "--", "hooks.4.stop_after=10", "hooks.3.interval=1")
    assert stopped.returncode != 0 and "KeyboardInterrupt" in stopped.stderr
    folder = tmp_path / "exp" / "tiny" / "a b"
    assert {"config.py", "train.log", "model", "code"} <= {path.name for path in folder.iterdir()}
    assert {path.name for path in (folder / "code").iterdir()} == {"pointins_ext", "tools", "configs"}
    assert "stop_after=10" in (folder / "config.py").read_text()
    done = train(tmp_path, "-c", "tiny/first", "-n", "a b", "-r", "true", "--", "hooks.4.stop_after=None")
    assert done.returncode == 0, done.stderr
    log = (folder / "train.log").read_text()
    assert "Train: [1/4][3/4]" in log and "Resuming at epoch 3 of 4" in log and "Train: [4/4][4/4]" in log


def test_a_missing_config_lists_the_near_names(tmp_path):
    done = train(tmp_path, "-d", "pointins", "-c", "pretrain-dos-room")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "near names in" in done.stderr and "pretrain-dos-rooms.py" in done.stderr
    assert not (tmp_path / "exp").exists()

"""tools/train.sh from a foreign folder: experiment folder, overrides, resume, errors in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.call_verb import call_verb
from tests.fixtures.tiny_training import CONFIG

ROOT = Path(__file__).parents[2]


def train(cwd, *arguments, **environment):
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT), **environment)
    command = ["sh", ROOT / "tools" / "train.sh", "-p", sys.executable, "-g", "1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_run_and_resume_from_any_folder(tmp_path):
    """A run sees the code of its snapshot, a new one at every start; a resumed run keeps its own, which may differ."""
    config = tmp_path / "tiny" / "first.py"
    config.parent.mkdir()
    config.write_text(CONFIG)
    folder = tmp_path / "exp" / "tiny" / "a b"
    code = folder / "code"
    (code / "left").mkdir(parents=True)
    stop = ["hooks.LossRecorder.stop_after=10", "hooks.InformationWriter.interval=1"]
    stopped = train(tmp_path, "-c", "tiny/first", "-n", "a b", "--", *stop)
    assert stopped.returncode != 0 and "KeyboardInterrupt" in stopped.stderr
    assert {"config.py", "train.log", "model"} <= {path.name for path in folder.iterdir()}
    assert {path.name for path in folder.iterdir() if "code" in path.name} == {"code"}
    assert {path.name for path in code.iterdir()} == {"pointins_ext", "tools", "configs"}
    assert "stop_after=10" in (folder / "config.py").read_text()

    script = code / "pointins_ext" / "cli" / "launch.py"
    script.write_text(script.read_text().replace("def train(argv):", "def train(argv):\n    print(run.__file__)", 1))
    done = train(tmp_path, "-c", "tiny/first", "-n", "a b", "-r", "true", "--", "hooks.LossRecorder.stop_after=None")
    assert done.returncode == 0, done.stderr
    assert f"{code}/pointins_ext/run.py" in done.stdout and script.read_text().count("__file__") == 1
    log = (folder / "train.log").read_text()
    assert "Train: [1/4][3/4]" in log and "Resuming at epoch 3 of 4" in log and "Train: [4/4][4/4]" in log


def test_a_missing_config_lists_the_near_names(tmp_path):
    done = call_verb("train", "-d", "pointins", "-c", "pretrain-dos-room", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "near names in" in done.stderr and "pretrain-dos-rooms.py" in done.stderr
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize(
    "flags, words",
    [
        (("-g", "2", "--", "batch_size=3"), "batch_size = 3 must be a multiple of the number of processes, 2"),
        (("-g", "1", "--", "epohc=3"), "'epohc'"),
        (("-w", "none.pth"), "checkpoint none.pth not found"),
        (("-e", "pointins"), "no teacher-student pretrainer"),
        (("--", "epoch=5", "eval_epoch=2"), "must be a multiple of eval_epoch"),
        (("-n", "file/x"), "file is a file, not a folder"),
    ],
)
def test_a_bad_request_writes_nothing_and_deletes_nothing(tmp_path, flags, words):
    config = tmp_path / "tiny" / "first.py"
    config.parent.mkdir()
    config.write_text(CONFIG)
    old = tmp_path / "exp" / "tiny" / "old"
    (old / "code" / "tools").mkdir(parents=True)
    for path in (old / "code" / "tools" / "train.py", old / "config.py", tmp_path / "exp" / "tiny" / "file"):
        path.write_text("of an earlier run")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = call_verb("train", "-g", 1, "-c", "tiny/first", "-n", "old", *flags, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr and "host:" not in done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

"""What a clumsy user types: exit code 2 and one line that names the culprit, no traceback, no file left or changed."""

import logging
import os
import re
import runpy
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch

from pointins_ext import segment
from pointins_ext.errors import exit_on_user_error
from pointins_ext.host import NAME
from tests.fixtures import bad_inputs
from tests.fixtures.bad_requests import CASES, PLACES, ROOT

pytest.importorskip("matplotlib")
for reader in ("plyfile", "pypcd4", "laspy"):
    pytest.importorskip(reader)
pytestmark = pytest.mark.skipif(NAME != "embedded", reason="messages of the embedded host")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The inputs, in a folder with a space in its name."""
    path = tmp_path_factory.mktemp("bad inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        bad_inputs.make()
    return path


@pytest.fixture
def here(folder, monkeypatch):
    """The folder as the current one; it must be as it was before when the test ends."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("POINTCEPT_ROOT", raising=False)
    monkeypatch.delenv("POINTINS_DEBUG", raising=False)
    before = files(folder)
    yield folder
    assert files(folder) == before


def files(folder):
    """Every path, with size and time of what is a file."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) if path.is_file() else None for path, stat in found.items()}


def is_one_line(text, words):
    """Whether text on stderr, progress bars aside, is an error of one line with the `words`."""
    last = text.splitlines()[-1]
    assert re.match(r"(pointins \w+: |\w+\.py: )?error: ", last) and re.search(words, last), text
    assert "Traceback" not in text and "Warning" not in text
    assert len(re.findall(r"^(?:pointins \w+: |\w+\.py: )?error: ", text, re.MULTILINE)) == 1, text


@pytest.mark.parametrize("line, words", CASES.items(), ids=CASES)
def test_bad_input(line, words, here, monkeypatch, capfd):
    tool, *arguments = (str(PLACES.get(word, word)) for word in shlex.split(line))
    monkeypatch.setattr(sys, "argv", [f"{tool}.py", *arguments])
    monkeypatch.syspath_prepend(ROOT / "tools")
    if "benchmark --device cuda" in line and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    try:
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / "tools" / f"{tool}.py"), run_name="__main__")
    finally:
        forget_the_log()
    assert stop.value.code == 2
    is_one_line(capfd.readouterr().err, words)


def forget_the_log():
    logger = logging.getLogger("pointins_ext")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


COORD = np.random.default_rng(0).random((50, 3))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(weight="none.pth"), "none.pth not found"),
        (dict(weight="evil.pth"), "it asks to run"),
        (dict(weight="nohead.pth"), "have no teacher.offset_head"),
        (dict(coord=COORD[:, :2]), r"coord has shape \(50, 2\), expected \(N, 3\)"),
        (dict(coord=COORD[:3]), "3 points, expected at least 10"),
        (dict(coord=np.zeros((0, 3))), "0 points, expected at least 10"),
        (dict(coord=COORD * np.nan), "50 of 50 points have NaN or Inf in coord"),
        (dict(coord="scan.ply"), r"coord has shape \(\)"),
        (dict(coord=[["a", "b", "c"]] * 20), "coord holds .*, expected numbers"),
        (dict(coord=[[0, 1, 2], [0, 1]]), "coord is no array"),
        (dict(coord=COORD * 1e12), "the points spread over"),
        (dict(color=COORD[:20]), "color has 20 rows, expected 50"),
        (dict(color=COORD * 2 - 1), r"segment: colors from .*expected 0\.\.1"),
        (dict(normal=COORD[:, 0]), r"normal has shape \(50,\), expected \(N, 3\)"),
        (dict(tint=COORD), "does not read tint; it reads .*color"),
        (dict(grid_size=0), "grid_size is 0, expected meters above 0"),
        (dict(grid_size=-0.04), "grid_size is -0.04"),
        (dict(grid_size=1e-9), "the points spread over"),
        (dict(radius=0), "radius is 0, expected meters above 0"),
        (dict(radius=float("nan")), "radius is nan"),
    ],
)
def test_bad_arguments_of_segment(arguments, words, here, capsys):
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(lambda: segment(**dict(coord=COORD, weight="good.pth") | arguments))
    assert stop.value.code == 2
    is_one_line(capsys.readouterr().err, words)


@pytest.mark.parametrize(
    "command, words",
    [
        (("sh", "tools/train.sh", "-p", sys.executable, "-c", "tiny", "-n", "a b", "--", "epoch=two"), "found 'two'"),
        (
            (sys.executable, "tools/segment.py", "--weight", "evil.pth", "--input", ".", "--output", "OUT"),
            "asks to run",
        ),
    ],
    ids=["train.sh", "segment.py"],
)
def test_processes(command, words, folder):
    """As a user starts them."""
    before = files(folder)
    command = [str(ROOT / word) if word.startswith("tools/") else word for word in command]
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stdout
    is_one_line(done.stderr, words)
    assert files(folder) == before

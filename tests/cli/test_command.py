"""The command `pointins`: its verbs, what it imports, and what it says where something is missing."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pointins_ext import cli

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "pointins_ext/cli"


def pointins(*arguments, cwd=None, **environment):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") | environment
    command = [sys.executable, "-m", "pointins_ext", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def without_torch(tmp_path):
    """A folder whose torch cannot be imported."""
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch')")
    return dict(PYTHONPATH=f"{tmp_path}:{ROOT}")


def test_help_names_every_verb_and_needs_no_torch(without_torch):
    done = pointins("--help", **without_torch)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.split("verbs:\n")[1].splitlines() if line.startswith("  ")]
    assert listed == list(cli.VERBS)


def test_the_doctor_says_that_torch_is_missing(without_torch):
    done = pointins("doctor", **without_torch)
    assert done.returncode == 2 and "PyTorch cannot be imported (there is no torch)" in done.stdout, done.stderr


def test_every_other_verb_says_so_in_one_line(without_torch):
    done = pointins("train", "-c", "pointins/pretrain-dos-rooms", **without_torch)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert re.search(r"PyTorch cannot be imported by .* \(there is no torch\); pip install torch, or", done.stderr)


@pytest.mark.parametrize(
    "arguments, words", [(("sgement",), "invalid choice: 'sgement' .*segment"), ((), "required: verb")]
)
def test_an_unknown_verb_is_one_line_with_those_that_there_are(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    *usage, last = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and len(usage) == 1
    assert re.search(words, last)


@pytest.mark.parametrize(
    "line, unbuffered",
    [("doctor", ""), ("doctor", "1"), ("--help", ""), ("--help", "1"), ("train --help", ""), ("evaluate --help", "1")],
)
def test_a_reader_that_ends_early_is_no_error(line, unbuffered):
    """`pointins doctor | head -1`"""
    reader, writer = os.pipe()
    os.close(reader)
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONUNBUFFERED=unbuffered)
    if line == "doctor":
        environment["POINTINS_HOST"] = "none"  # it says so, and does without its self-test
    command = [sys.executable, "-m", "pointins_ext", *line.split()]
    done = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert done.stderr == "" and done.returncode in ((0, 141) if unbuffered else (141,))  # argparse forgives it


def test_another_pipe_that_breaks_is_an_error(monkeypatch):
    def worker(verb, argv):
        raise BrokenPipeError("a data worker has ended")

    monkeypatch.setattr(cli, "_call", worker)
    with pytest.raises(BrokenPipeError, match="a data worker"):
        cli.main(["segment"])


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_help_of_a_verb_shows_how_it_is_called(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and text.startswith(f"usage: pointins {verb} ") and f"    pointins {verb} " in text
    assert "tools/segment" not in text and "python tools" not in text


def test_a_host_that_is_missing_is_one_line(tmp_path):
    done = pointins("segment", "--help", POINTINS_HOST="pointcept", POINTCEPT_ROOT=str(tmp_path))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: POINTINS_HOST=pointcept, but POINTCEPT_ROOT=")


@pytest.mark.parametrize("name", ["mine.py", "pointins"])
def test_segment_and_the_registered_are_there_in_every_process(name, tmp_path):
    """Also where the command imports modules of the user's, which may take either from the package."""
    (tmp_path / name).write_text(
        "import pointins_ext.run\n"
        "from pointins_ext.host import MODELS\n"
        "print(MODELS.get('PointINS-v1m1').__name__, pointins_ext.segment.__name__)\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT), POINTINS_HOST="embedded")
    done = subprocess.run([sys.executable, tmp_path / name], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["PointINS", "segment"], done.stderr


def test_a_script_of_the_users_has_everything_by_importing_the_package(tmp_path):
    code = "import pointins_ext; from pointins_ext.host import MODELS; print(MODELS.get('PointINS-v1m1'))"
    environment = dict(os.environ, PYTHONPATH=str(ROOT), POINTINS_HOST="embedded")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "PointINS" in done.stdout, done.stderr


def test_nothing_of_the_package_is_imported_from_a_script():
    scripts = {path.stem for path in (ROOT / "tools").glob("*.py")}
    for path in (ROOT / "pointins_ext").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        roots = {name.split(".")[0] for name in froms | names if name}
        assert not roots & (scripts | {"tools"}), path
        assert "sys.path" not in path.read_text(encoding="utf-8") or path.name in ("locate.py",), path


def test_every_verb_is_a_module_and_every_module_with_a_main_a_verb():
    mains = {path.stem for path in FOLDER.glob("[a-z]*.py") if "\ndef main(" in path.read_text(encoding="utf-8")}
    assert mains == set(cli.VERBS)
    assert all(importlib.util.find_spec(f"pointins_ext.cli.{verb}") for verb in cli.VERBS)

"""The old names in tools/ are the verbs of `pointins`."""

import runpy
import sys
from pathlib import Path

import pytest

from pointins_ext import cli

TOOLS = Path(__file__).parents[2] / "tools"
WRAPPERS = dict(
    segment="segment",
    train="train",
    test="test",
    evaluate_label_free="evaluate",
    study_targets="study",
    export="export",
    fit_prior="prior",
    submit="submit",
    doctor="doctor",
    demo="demo",
    quickstart="quickstart",
)


def help_of(call, capsys):
    with pytest.raises(SystemExit) as stop:
        call()
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_every_verb_has_a_wrapper():
    assert set(WRAPPERS.values()) == set(cli.VERBS)


@pytest.mark.parametrize("name, verb", WRAPPERS.items())
def test_a_wrapper_is_its_verb(name, verb, monkeypatch, capsys):
    path = TOOLS / f"{name}.py"
    assert "import pointins_ext" not in path.read_text() and len(path.read_text().splitlines()) < 12
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    said = help_of(lambda: runpy.run_path(str(path), run_name="__main__"), capsys)
    assert said == help_of(lambda: cli.main([verb, "--help"]), capsys)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_spawned_child_that_imports_a_wrapper_starts_nothing(name, monkeypatch):
    monkeypatch.setattr(cli, "main", lambda: pytest.fail("started again"))
    runpy.run_path(str(TOOLS / f"{name}.py"), run_name="__mp_main__")

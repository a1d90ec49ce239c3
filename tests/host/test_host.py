"""The one door: which host is bound, why, and what happens where it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pointins_ext import host
from pointins_ext.host import locate

ROOT = Path(__file__).parents[2]


def python(code, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("POINTINS_HOST", "POINTCEPT_ROOT")}
    environment = clean | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") | environment
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def test_every_promised_name_is_bound():
    for name in host.NAMES:
        assert getattr(host, name) is not None
    for registry, key in ((host.MODELS, "PointINS-v1m1"), (host.MODELS, "DOS-v1m1"), (host.MODELS, "OffsetHead")):
        assert registry.get(key) is not None
    assert all(host.HOOKS.get(key) for key in ("ODRHook", "SCRHook", "OffsetMonitor"))


def test_without_pointcept_the_embedded_host_is_bound_and_says_why():
    done = python("from pointins_ext import host; print(host.NAME, '|', host.REASON)")
    assert done.stdout.startswith("embedded | Pointcept is not installed"), done.stderr


@pytest.mark.parametrize(
    "environment, message",
    [
        (dict(POINTINS_HOST="pointcept"), "POINTINS_HOST=pointcept, but Pointcept is not installed"),
        (dict(POINTINS_HOST="Pointcept"), "expected auto, pointcept or embedded"),
    ],
)
def test_a_host_that_cannot_be_bound_is_an_error(environment, message):
    done = python("import pointins_ext", **environment)
    assert done.returncode != 0 and message in done.stderr


def test_a_wrong_root_and_a_checkout_that_cannot_be_imported_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("POINTCEPT_ROOT", str(tmp_path))
    assert "expected the root of a Pointcept checkout" in locate.pointcept_problem()
    package = tmp_path / "pointcept"
    package.mkdir()
    (package / "__init__.py").write_text("import a_compiled_part_that_nobody_has\n")
    code = "from pointins_ext import host; print(host.NAME, '|', host.REASON)"
    done = python(code, POINTCEPT_ROOT=str(tmp_path))
    assert done.stdout.startswith("embedded | ") and "a_compiled_part_that_nobody_has" in done.stdout, done.stderr


def test_a_pointcept_without_a_name_that_we_need_is_too_old(tmp_path):
    """A package that imports, but lacks what newer ones have."""
    for module in ("models", "datasets", "engines/hooks", "engines/train", "datasets/builder"):
        folder = tmp_path / "pointcept" / module
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("")
    (tmp_path / "pointcept" / "__init__.py").write_text("")
    code = "from pointins_ext import host; print(host.NAME, '|', host.REASON)"
    done = python(code, POINTCEPT_ROOT=str(tmp_path))
    assert done.stdout.startswith("embedded | ") and "is too old" in done.stdout, done.stderr
    assert "DATASETS" in done.stdout and "update it" in done.stdout
    forced = python("import pointins_ext", POINTCEPT_ROOT=str(tmp_path), POINTINS_HOST="pointcept")
    assert forced.returncode != 0 and "POINTINS_HOST=pointcept, but Pointcept at" in forced.stderr

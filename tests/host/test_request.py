"""A request is read by the host that the run will bind, which is not imported for that."""

import pytest

from pointins_ext import host
from pointins_ext.host import request
from tests.fixtures.fresh_python import ROOT, python

CODE = """
import sys
sys.argv = ["pointins"]  # the command, which binds no host by itself
from pointins_ext.host.request import expected_root, reader
print(expected_root(), reader().__name__)
reader().read_config, reader().default_argument_parser
"""


@pytest.fixture
def pointcept(tmp_path):
    """A Pointcept whose models must not be imported."""
    content = {
        "utils/config.py": "class Config: pass",
        "engines/defaults.py": "default_argument_parser = default_config_parser = None",
        "models/__init__.py": "raise RuntimeError('imported')",
    }
    for name, text in content.items():
        path = tmp_path / "pointcept" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_pointcepts_parsers_come_without_its_models(pointcept):
    done = python(CODE, POINTCEPT_ROOT=str(pointcept))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == [str(pointcept), "pointins_ext.host.pointcept_config"]


def test_binding_says_what_is_missing(pointcept, light):
    (pointcept / "pointcept/utils/config.py").write_text("import a_part_that_nobody_has")
    (pointcept / "pointcept/models/__init__.py").write_text("import a_part_that_nobody_has")
    environment = dict(POINTCEPT_ROOT=str(pointcept), PYTHONPATH=f"{light}:{ROOT}", POINTINS_HOST="pointcept")
    done = python(CODE, **environment)
    assert done.stdout.split()[:2] == [str(pointcept), "pointins_ext.host"], done.stderr
    assert done.returncode != 0 and "a_part_that_nobody_has" in done.stderr.splitlines()[-1]


def test_the_embedded_host_reads_for_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("POINTCEPT_ROOT", str(tmp_path))
    for wanted in ("embedded", "auto"):  # there is no Pointcept in that folder
        monkeypatch.setenv("POINTINS_HOST", wanted)
        assert request.expected_root() is None and request.reader() is host
    monkeypatch.setenv("POINTINS_HOST", "other")
    with pytest.raises(ValueError, match="POINTINS_HOST is 'other'; expected auto, pointcept or embedded"):
        request.reader()

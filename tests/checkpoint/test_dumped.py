"""A config beside a checkpoint is data: it is read whole, or refused before any of it runs."""

import math

import pytest

from pointins_ext.checkpoint import read_dumped_config
from pointins_ext.embedded.config import Config

TREE = dict(
    seed=None,
    lr=-0.5,
    empty_cache=False,
    model=dict(type="X", sizes=(1, 2), one=(3,), nothing=[], deep=[dict(a=b"x"), {"not a name": 1, 2: 3}]),
    length=math.inf,
)


def test_a_dumped_config_reads_back_equal(tmp_path):
    Config(TREE).dump(tmp_path / "config.py")
    assert read_dumped_config(tmp_path / "config.py") == TREE


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "open('ran', 'w')",
        "x = open('ran', 'w')",
        "x = dict(a=[open('ran', 'w')])",
        "x = dict(**open('ran', 'w'))",
        "x = dict(open('ran', 'w'))",
        "x = {**open('ran', 'w')}",
        "x = {open('ran', 'w'): 1}",
        "x = [*open('ran', 'w')]",
        "x = float(open('ran', 'w'))",
        'x = f\'{open("ran", "w")}\'',
        "x = 9 ** 9 ** 9 ** 9",
        "x.y = 1",
        "x = y = 1",
        "x: open('ran', 'w') = 1",
        "def dict(**kwargs): pass",
        "class X: open('ran', 'w')",
        "if open('ran', 'w'): pass",
    ],
)
def test_code_is_refused_unread(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text(f"model = dict(type='X')\n{code}\n")
    with pytest.raises(ValueError, match="config.py, line 2: found the code .*never run: if you trust it, .*--config"):
        read_dumped_config("config.py")
    assert [path.name for path in tmp_path.iterdir()] == ["config.py"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\x00", b"a = (", b"a = " + b"[" * 500, b"a = " + b"-" * 10**5])
def test_what_is_no_config_is_named(content, tmp_path):
    (tmp_path / "config.py").write_bytes(content)
    with pytest.raises(ValueError, match="config.py"):
        read_dumped_config(tmp_path / "config.py")

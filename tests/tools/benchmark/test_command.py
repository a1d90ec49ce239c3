"""What tools/benchmark.py does with what it has measured, and on which host it runs."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import command
from benchmark.cases import CASES
from benchmark.pairs import Case, Skip
from benchmark.record import TOLERANCE, record
from tests.fixtures.benchmark_rows import row

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("again, tolerance, code", [(0.5, 1.5, None), (0.7, 1.5, 1), (0.7, 2.0, None), (0.81, 2.0, 1)])
def test_what_is_slow_is_measured_again(again, tolerance, code, monkeypatch, tmp_path, capsys):
    """A burst of the machine is forgiven, a regression is not."""
    record(str(tmp_path / "record.json"), "cpu_quick", dict(scr=row(0.4), odr=row(0.4)), {})
    measured = []

    def measure(name, device, quick, repeats):
        measured.append((name, repeats))
        return row(0.4 if name == "odr" else 0.9 if repeats == 3 else again)

    monkeypatch.setattr(command, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "apart", lambda call, *arguments: call(*arguments))
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--quick", "--only", "scr", "odr", "--repeats", "3"])
    sys.argv += [] if tolerance == TOLERANCE else ["--tolerance", str(tolerance)]
    with contextlib.nullcontext() if code is None else pytest.raises(SystemExit, match=str(code)):
        command.main()
    assert measured == [("scr", 3), ("odr", 3), ("scr", 12)]
    printed = capsys.readouterr()
    assert f"| {again:.2f} (" in printed.out and (f"scr takes {again:.2f} times" in printed.err) == (code == 1)


def test_a_missing_peer_is_left_out_and_said(monkeypatch, capsys):
    def make(device, quick):
        raise Skip("peer is not installed")

    monkeypatch.setitem(CASES, "scr", Case("", make, {"cpu": 1.0}))
    monkeypatch.setattr(command, "apart", lambda call, *arguments: call(*arguments))
    args = SimpleNamespace(device="cpu", quick=True)
    assert command.run(args, ["scr"], 3) == {}
    assert "scr left out: peer is not installed" in capsys.readouterr().err


def test_the_host_is_the_embedded_one_also_where_pointcept_is_at_hand(tmp_path):
    """Else its stand-ins would take the place of what the cases are held against."""
    (tmp_path / "pointcept").mkdir()
    (tmp_path / "pointcept/__init__.py").write_text("raise RuntimeError('Pointcept is imported')")
    environment = {name: value for name, value in os.environ.items() if name != "POINTINS_HOST"}
    environment |= dict(POINTCEPT_ROOT=str(tmp_path), PYTHONPATH=str(ROOT))
    script = [sys.executable, ROOT / "tools/benchmark.py", "--help"]
    assert subprocess.run(script, env=environment, capture_output=True, timeout=120).returncode == 0

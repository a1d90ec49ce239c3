"""README's first command where Pointcept is found and trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
ROOT = Path(__file__).parents[2]


def test_quickstart_ends_with_metrics_and_report(tmp_path):
    command = [sys.executable, ROOT / "tools/quickstart.py", "--num-rooms", "2", "--num-val", "1", "--epochs", "1"]
    environment = dict(os.environ, POINTINS_HOST="pointcept", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "exp" / "quickstart"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["host"] == "pointcept" and metrics["steps"] == 1 and "pointins" in metrics["unsupervised"]
    assert (folder / "report.html").is_file()

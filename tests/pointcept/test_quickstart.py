"""README's first command where Pointcept is found and trains."""

import json
import sys

import pytest

from tests.fixtures.run_command import ROOT, run

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


def test_quickstart_ends_with_metrics_and_report(tmp_path):
    script = [sys.executable, ROOT / "tools" / "quickstart.py"]
    run(tmp_path, [*script, "--num-rooms", "2", "--num-val", "1", "--epochs", "1"], POINTINS_HOST="pointcept")
    folder = tmp_path / "exp" / "quickstart"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["host"] == "pointcept" and metrics["steps"] == 1 and "pointins" in metrics["unsupervised"]
    assert (folder / "report.html").is_file()

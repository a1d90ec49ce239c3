"""Runs tests/pointcept, and the shipped configs again, with the real Pointcept as host."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# two parts that take about as long, for two processes
TESTS = (
    ["tests/pointcept"],
    ["tests/test_every_config.py", "tests/test_configs.py", "tests/test_downstream_configs.py"],
)


@pytest.mark.skipif(not os.environ.get("POINTCEPT_ROOT"), reason="POINTCEPT_ROOT is not set")
@pytest.mark.skipif(os.environ.get("POINTINS_HOST") == "pointcept", reason="this is that process")
@pytest.mark.parametrize("tests", TESTS, ids=("its-own", "configs"))
def test_on_pointcept(tests):
    command = [sys.executable, "-m", "pytest", *tests, "-rs"]
    environment = dict(os.environ, POINTINS_HOST="pointcept", OMP_NUM_THREADS="1")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0, f"POINTINS_HOST=pointcept python -m pytest {' '.join(tests)} fails"

"""tools/test.sh: finds the experiment, its weights and its config, and runs the tester that this names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.call_verb import call_verb
from tests.fixtures.tiny_training import CONFIG

ROOT = Path(__file__).parents[2]
TESTER = """
import json
import os
from pointins_ext.host import TESTERS

@TESTERS.register_module(force=True)
class TinyTester:
    def __init__(self, cfg, verbose):
        self.cfg, self.verbose = cfg, verbose

    def test(self):
        result = dict(weight=self.cfg.weight, verbose=self.verbose, batch=self.cfg.batch_size_val_per_gpu)
        with open(os.path.join(self.cfg.save_path, "result.json"), "w") as file:
            json.dump(result, file)
"""


@pytest.fixture
def experiment(tmp_path):
    """A trained experiment `exp/tiny/first` as train.sh leaves it, and the module of its tester."""
    folder = tmp_path / "exp" / "tiny" / "first"
    (folder / "model").mkdir(parents=True)
    for name in ("model_best", "model_last"):
        (folder / "model" / f"{name}.pth").touch()
    (tmp_path / "tiny_tester.py").write_text(TESTER)
    imports = CONFIG.replace('imports=["tests.fixtures.tiny_training"]', 'imports=["tiny_tester"]')
    (folder / "config.py").write_text(imports + "test = dict(type='TinyTester', verbose=True)\n")
    return folder


def run(cwd, *arguments):
    path = f"{cwd}:{ROOT}"
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=path)
    command = ["sh", ROOT / "tools" / "test.sh", "-p", sys.executable, "-g", "1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("flags, weight", [((), "model_best"), (("-w", "model_last"), "model_last")])
def test_the_experiments_own_config_and_weight(experiment, tmp_path, monkeypatch, flags, weight):
    before = (experiment / "config.py").read_text()
    request = ("-d", "tiny", "-n", "first", *flags, "--", "test.verbose=False")
    if flags:
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "tiny_tester", raising=False)
        done = call_verb("test", "-g", 1, *request, cwd=tmp_path)
    else:  # as a user starts it
        done = run(tmp_path, *request)
    assert done.returncode == 0 and done.stdout.startswith("host: embedded"), done.stderr
    result = (experiment / "result.json").read_text()
    assert f"exp/tiny/first/model/{weight}.pth" in result and '"verbose": false' in result and '"batch": 1' in result
    assert (experiment / "config.py").read_text() == before


def test_a_config_without_a_tester_and_a_missing_experiment_are_one_line(experiment, tmp_path):
    (experiment / "config.py").write_text(CONFIG)
    done = call_verb("test", "-g", 1, "-d", "tiny", "-n", "first", cwd=tmp_path)
    assert done.returncode == 2 and "test = dict(type=...) is missing" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = call_verb("test", "-g", 1, "-d", "tiny", "-n", "second", cwd=tmp_path)
    assert done.returncode == 2 and "config.py not found" in done.stderr, done.stderr
    assert call_verb("test", "-n", "first", cwd=tmp_path).returncode == 2  # usage

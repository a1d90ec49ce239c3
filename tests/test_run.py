"""What every process of a run does."""

from types import SimpleNamespace

import pytest

from pointins_ext import run
from pointins_ext.embedded.defaults import check_shares
from pointins_ext.host import Config


def test_a_config_without_a_tester_is_named():
    with pytest.raises(ValueError, match=r"a.py: nothing to test, test = dict\(type=...\) is missing"):
        run.test(Config(dict(), filename="a.py"))


def test_a_tester_of_pointcept_needs_a_gpu(monkeypatch):
    foreign = type("SemSegTester", (), {"__module__": "pointcept.engines.test"})
    monkeypatch.setattr(run, "TESTERS", SimpleNamespace(get=lambda kind: foreign))
    monkeypatch.setattr(run.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="Pointcept's SemSegTester needs a GPU; none was found"):
        run.test(Config(dict(test=dict(type="SemSegTester"))))


def test_the_batch_of_the_training_does_not_matter_to_a_test(monkeypatch):
    """A batch of 2 and four GPUs, or one that they cannot share."""
    seen = []
    monkeypatch.setattr(run.comm, "get_world_size", lambda: 4)
    monkeypatch.setattr(run, "default_setup", lambda cfg: check_shares(cfg, 4) or cfg)
    tester = SimpleNamespace(test=lambda: seen.append("tested"))
    monkeypatch.setattr(run, "TESTERS", SimpleNamespace(get=lambda kind: None, build=lambda cfg: tester))
    run.test(Config(dict(batch_size=2, batch_size_val=None, test=dict(type="SemanticTester"))))
    assert seen == ["tested"]


def test_processes_are_those_that_the_command_line_asks_for(monkeypatch):
    calls = []
    monkeypatch.setattr(run, "launch", lambda worker, **options: calls.append((worker, options)))
    run.start("task", "cfg", SimpleNamespace(num_gpus=2, num_machines=3, machine_rank=1, dist_url="tcp://a:1"))
    ((worker, options),) = calls
    assert worker is run.main_worker and options["cfg"] == ("task", "cfg")
    assert (options["num_gpus_per_machine"], options["num_machines"], options["machine_rank"]) == (2, 3, 1)


def test_a_users_error_in_a_process_is_one_line(capsys):
    def task(cfg):
        raise FileNotFoundError(2, "No such file or directory", "scan.ply")

    with pytest.raises(SystemExit) as stopped:
        run.main_worker(task, None)
    assert stopped.value.code == 2 and capsys.readouterr().err.startswith("error: ")

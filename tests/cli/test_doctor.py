"""The doctor: what it says of this machine, of data folders and of broken set-ups, and its exit code."""

import os
import subprocess
import sys
from pathlib import Path

from pointins_ext.cli import doctor

ROOT = Path(__file__).parents[2]


def examine(*flags, **environment):
    command = [sys.executable, "-m", "pointins_ext", "doctor", *flags]
    clean = {name: value for name, value in os.environ.items() if name not in ("POINTINS_HOST", "POINTCEPT_ROOT")}
    environment = clean | dict(PYTHONPATH=str(ROOT)) | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_one_screen_that_ends_with_a_command(tmp_path):
    found = examine("--data", str(tmp_path), POINTINS_HOST="embedded")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert len(lines) < 25 and found.stderr == ""
    headings = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert headings == ["Python", "GPU", "Host", "Data", "Self-test", "Next:"]
    assert "embedded: POINTINS_HOST=embedded" in found.stdout and "passed: 2 training steps" in found.stdout
    assert lines[-1] == "Next: pointins demo"


def test_a_host_that_is_missing_is_an_error_with_its_cure(tmp_path):
    found = examine(POINTINS_HOST="pointcept", POINTCEPT_ROOT=str(tmp_path))
    assert found.returncode == 2 and "Traceback" not in found.stderr
    assert f"POINTCEPT_ROOT={tmp_path} has no folder 'pointcept'" in found.stdout
    assert found.stdout.splitlines()[-1].startswith("Next: correct POINTCEPT_ROOT")


def test_data_folders_are_counted(tmp_path):
    for split, number in (("train", 1201), ("val", 312), ("test", 99)):
        for i in range(number):
            (tmp_path / "scannet" / split / f"scene{i:04d}").mkdir(parents=True)
    lines, complete = doctor.data_lines(tmp_path)
    assert lines == [f"{tmp_path}/scannet: incomplete, test/* 99 of 100"] and complete == set()
    (tmp_path / "scannet/test/last").mkdir()
    assert doctor.data_lines(tmp_path) == ([f"{tmp_path}/scannet: complete"], {"scannet"})


def test_the_next_command_fits_the_machine():
    assert doctor.next_command("embedded", False, {"scannet"}) == "pointins demo"
    assert "pretrain-dos-ptv3-scannet" in doctor.next_command("embedded", True, {"scannet"})
    assert "pretrain-sonata-ptv3-nuscenes" in doctor.next_command("pointcept", True, {"nuscenes"})
    for config in ("pretrain-dos-ptv3-scannet", "pretrain-sonata-ptv3-nuscenes"):
        assert (ROOT / f"configs/pointins/{config}.py").is_file()


def test_a_failed_self_test_is_no_success(monkeypatch, capsys):
    def fails():
        raise RuntimeError("the loss is nan")

    monkeypatch.setattr(doctor, "self_test", fails)
    monkeypatch.setattr(doctor.logging, "disable", lambda level: None)
    monkeypatch.setenv("TQDM_DISABLE", "")  # what the doctor sets is undone
    assert doctor.main([]) == 2
    assert "failed: RuntimeError: the loss is nan" in capsys.readouterr().out

"""`pointins train` and `pointins test`: configs by name, flags, interpreters, several machines."""

import argparse
import sys
from pathlib import Path

import pytest
import torch

from pointins_ext import CONFIGS
from pointins_ext.cli import experiments
from pointins_ext.cli import test as testing
from pointins_ext.cli import train as training


def test_a_path_comes_before_our_config_and_ours_before_pointcepts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POINTINS_HOST")
    monkeypatch.setenv("POINTCEPT_ROOT", str(tmp_path / "Pointcept"))
    for path in (
        "Pointcept/configs/pointins/semseg-ptv3-scannet.py",
        "Pointcept/configs/sonata/base.py",
        "mine/one.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    ours = CONFIGS / "pointins/semseg-ptv3-scannet.py"
    assert experiments.find_config("pointins/semseg-ptv3-scannet") == (ours, "pointins")
    assert experiments.find_config("semseg-ptv3-scannet.py", "pointins") == (ours, "pointins")
    theirs = tmp_path / "Pointcept/configs/sonata/base.py"
    assert experiments.find_config("sonata/base") == experiments.find_config("base", "sonata") == (theirs, "sonata")
    assert experiments.find_config("mine/one", "elsewhere") == (Path("mine/one.py"), "elsewhere")
    (tmp_path / "pointins").mkdir()
    (tmp_path / "pointins/semseg-ptv3-scannet.py").touch()
    assert experiments.find_config("pointins/semseg-ptv3-scannet")[0] == Path("pointins/semseg-ptv3-scannet.py")
    with pytest.raises(FileNotFoundError, match="sonata/bases.py not found; near names in .*configs: .*sonata/base.py"):
        experiments.find_config("sonata/bases")
    monkeypatch.setenv("POINTINS_HOST", "embedded")
    with pytest.raises(FileNotFoundError, match=f"near names in {CONFIGS}: pointins/"):
        experiments.find_config("sonata/base")


def test_the_data_set_of_a_config_in_a_folder_of_its_own_is_that_of_its_neighbors():
    name = "pointins/label_efficiency/semseg-ptv3-scannet-la20"
    assert experiments.find_config(name) == (CONFIGS / f"{name}.py", "pointins")


def request(*argv):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    experiments.add_experiment_arguments(parser, config="a file", dataset="a folder", weight="a checkpoint")
    return experiments.parse_request(parser, list(argv))


@pytest.mark.parametrize("dashes", [["--"], []])
def test_overrides_follow_with_dashes_or_without(dashes):
    args = request("-n", "a b", "-g", "2", *dashes, "epoch=2", "lr=-1")
    assert args.overrides == ["epoch=2", "lr=-1"] and args.name == "a b" and args.num_gpus == 2


@pytest.mark.parametrize("word", ["epoch", "-x", "--epoch=2"])
def test_what_is_no_override_is_an_error(word, capsys):
    with pytest.raises(SystemExit):
        request("-n", "a", word)
    assert f"unrecognized arguments: {word}" in capsys.readouterr().err


def test_the_long_flags_of_a_run(monkeypatch):
    monkeypatch.delenv("SLURM_NODEID", raising=False)
    flags = experiments.run_flags(request("-g", "0", "--", "epoch=2"), "c.py", "exp/a", ["resume=False"])
    pairs = dict(zip(flags[:10:2], flags[1:10:2], strict=True))
    assert pairs == {
        "--config-file": "c.py",
        "--num-gpus": "0",
        "--num-machines": "1",
        "--machine-rank": "0",
        "--dist-url": "auto",
    }
    assert flags[10:] == ["--options", "save_path=exp/a", "resume=False", "epoch=2"]


def test_machines_of_slurm_meet_at_the_first(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho node7\necho node8\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURM_NODELIST", "node[7-8]")
    monkeypatch.setenv("SLURM_NODEID", "1")
    both = [experiments.run_flags(request("-m", "2", "-g", "1"), "c.py", folder, []) for folder in ("exp/a", "exp/b")]
    urls = [flags[flags.index("--dist-url") + 1] for flags in both]
    assert all(url.startswith("tcp://node7:") and 10000 <= int(url.rsplit(":")[-1]) < 30000 for url in urls)
    assert urls[0] != urls[1] and both[0][both[0].index("--machine-rank") + 1] == "1"


def test_the_interpreter_of_p():
    assert experiments.other_interpreter(request()) is None
    assert experiments.other_interpreter(request("-p", sys.executable)) is None
    assert experiments.other_interpreter(request("-p", "sh")).endswith("/sh")
    with pytest.raises(FileNotFoundError, match="-p nowhere: no such interpreter"):
        experiments.other_interpreter(request("-p", "nowhere"))


def test_a_resumed_run_goes_on_in_its_copy_of_the_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "mine")
    calls = []
    monkeypatch.setattr(experiments.os, "execve", lambda *call: calls.append(call))
    monkeypatch.setattr(training, "launcher", lambda: argparse.Namespace(train=lambda flags: None))
    code = tmp_path / "exp/pointins/a/code"
    (code / "pointcept").mkdir(parents=True)
    training.main(["-c", "pointins/pretrain-dos-rooms", "-n", "a", "-r", "true", "-g", "0"])
    ((python, command, environment),) = calls
    assert python == command[0] == sys.executable and command[1] == str(code / "tools/train.py")
    assert environment["PYTHONPATH"] == f"{code}:mine" and environment["POINTCEPT_ROOT"] == str(code)
    assert command[3] == "exp/pointins/a/config.py"
    assert command[-3:] == ["save_path=exp/pointins/a", "resume=True", "weight=exp/pointins/a/model/model_last.pth"]


def test_an_installed_package_is_not_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = []
    monkeypatch.setattr(training, "is_checkout", lambda: False)
    monkeypatch.setattr(training, "launcher", lambda: argparse.Namespace(train=ran.append))
    training.main(["-c", "pointins/pretrain-dos-rooms", "-e", "pointins", "-w", "a.pth", "-g", "0", "--", "epoch=1"])
    (flags,) = ran
    assert flags[:3] == ["--extend", "pointins", "--config-file"] and flags[3] == str(
        CONFIGS / "pointins/pretrain-dos-rooms.py"
    )
    assert flags[-4:] == ["save_path=exp/pointins/debug", "resume=False", "weight=a.pth", "epoch=1"]
    assert not list(tmp_path.iterdir())


def test_the_weight_of_a_test_is_a_name_or_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.pth").touch()
    for given, meant in {
        (): "exp/a/b/model/model_best.pth",
        ("-w", "model_last"): "exp/a/b/model/model_last.pth",
        ("-w", "model_last.pth"): "exp/a/b/model/model_last.pth",
        ("-w", "other.pth"): "other.pth",
    }.items():
        flags = testing.long_flags(testing.arguments(["-d", "a", "-n", "b", "-g", "0", *given]))
        assert flags[-1] == f"weight={meant}" and flags[1] == "exp/a/b/config.py"


@pytest.mark.parametrize(("flags", "number", "said"), [([], "2", True), (["-g", "4"], "4", False)])
def test_without_g_no_more_gpus_than_share_the_batch(flags, number, said, monkeypatch, capsys, tiny_config, tmp_path):
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(training, "is_checkout", lambda: False)
    monkeypatch.setattr(training, "start", lambda words, *_: started.append(words))
    training.main(["-c", str(tiny_config), *flags, "--", "batch_size=2"])
    assert started[0][started[0].index("--num-gpus") + 1] == number
    assert ("2 of 4 GPUs can share batch_size; a multiple of 4 takes all" in capsys.readouterr().out) == said

"""The runs of ablations: their commands, their scores, and a tiny suite end to end, interrupted once."""

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablation import runs as module
from ablation.runs import Run, label_free_scores, perform, trained_share, visible_gpus
from ablation.suites import SETTINGS
from pointins_ext.host import default_config_parser
from tests.fixtures.ablations import request
from tests.fixtures.call_verb import call_verb

pytest.importorskip("matplotlib")
WRAPPERS = dict(evaluate_label_free="evaluate")


@pytest.mark.parametrize(
    "data,steps,num_scenes",
    [("rooms", 4000, 200), ("rooms", 4000, 30), ("rooms", 7, 200), ("rooms", 601, 60), ("ptv3-rooms", 4001, 200)],
)
def test_pretraining_has_at_least_the_steps_and_whole_epochs(data, steps, num_scenes, tmp_path):
    run = Run(request(tmp_path, data=data), "both", 0, steps)
    run.setting = dataclasses.replace(run.setting, num_scenes=num_scenes)
    run.folder.mkdir(parents=True)
    options = dict(item.split("=") for item in run.pretraining() if "=" in str(item))
    epoch, saves = int(options["epoch"]), int(options["eval_epoch"])
    steps_an_epoch = num_scenes // int(options["batch_size"])
    assert epoch % saves == 0 and steps <= epoch * steps_an_epoch < steps + max(20, 1) * steps_an_epoch


def test_seeds_change_the_runs_and_their_scenes_and_nothing_else(tmp_path):
    commands = []
    for seed in (0, 1):
        run = Run(request(tmp_path), "both", seed, 4)
        run.folder.mkdir(parents=True)
        commands.append([str(word).replace(run.folder.name, "") for word in run.pretraining()])
    changed = [pair for pair in zip(*commands, strict=True) if pair[0] != pair[1]]
    assert changed == [("seed=0", "seed=1"), ("room_seed=0", "room_seed=1")]


def test_the_radius_is_the_best_on_training_scenes(tmp_path):
    run = Run(request(tmp_path), "both", 0, 4)
    run.folder.mkdir(parents=True)
    stages = dict(run.stages())
    for radius, score in zip(module.RADII, (0.1, 0.3, 0.2, 0.1, 0.0), strict=True):
        command = [str(word) for word in stages[f"radius-{radius:g}"]]
        assert {"data.test.split=train", f"model.cluster_thresh={radius}"} <= set(command)
        results = run.folder / f"radius-{radius:g}/results/instance.json"
        results.parent.mkdir(parents=True)
        results.write_text(json.dumps(dict(metrics=dict(map=score))))
    command = [str(word) for word in dict(run.stages())["test-instance"]]
    assert f"model.cluster_thresh={module.RADII[1]}" in command and "data.test.split=train" not in command


@pytest.mark.parametrize("data", [data for data, setting in SETTINGS.items() if "semantic" in setting.probes])
def test_semantics_are_scored_on_the_probes_own_scenes(data, tmp_path):
    run = Run(request(tmp_path, data=data), "none", 0, 4)
    run.folder.mkdir(parents=True)
    config = run.setting.probes["semantic"]
    cfg, probe = (default_config_parser(str(path), {}) for path in (run.semantic(config), run.downstream(config)))
    assert cfg.test == dict(type="SemanticTester", fragments=False)
    assert cfg.data == probe.data and cfg.model == probe.model
    assert cfg.model.type == "PanSeg-v1m1"  # the instance model keeps its logits to itself


def test_only_the_reference_scores_the_rivals_and_with_their_own_parameters(tmp_path):
    for data, setting in SETTINGS.items():
        flags = [str(word) for word in Run(request(tmp_path, data=data), "none", 0, 4).label_free("w.pth")]
        assert "--methods" not in flags and flags[flags.index("--rivals") + 1] == setting.rivals
        assert "--methods" in Run(request(tmp_path, data=data), "both", 0, 4).label_free("w.pth")


def test_share_of_a_log(tmp_path):
    log = tmp_path / "train.log"
    assert trained_share(log) == 0.0
    log.write_text("Train: [1/20][10/200] loss\nTrain: [3/20][100/200] loss\n")
    assert trained_share(log) == pytest.approx(2.5 / 20)


def test_what_no_object_has_is_no_column():
    """Sweeps have no touching objects."""
    scores = dict(map=0.25, ap50=0.5, recall50_touching=math.nan)
    offsets = dict(cosine=0.7, length=0.4, mean_direction=0.1)
    tables = dict(unsupervised=dict(pointins=scores), unsupervised_planes_off=dict(pointins=scores), offsets=offsets)
    tables["unsupervised_with_planes"] = dict(components=dict(scores, map=0.5))
    row = label_free_scores(tables)
    assert row["planes_components_map"] == 50.0
    assert row["raw_pointins_map"] == row["off_pointins_map"] == 25.0 and row["offset_cosine"] == 0.7
    assert not any("touching" in name for name in row)


class InThisProcess:
    """What a Popen of a script in tools/ is once it has ended, without the start of Python."""

    def __init__(self, command, stdout, **options):
        script = Path(command[1])
        verb = WRAPPERS.get(script.stem, script.stem)
        done = SimpleNamespace(returncode=2, stdout="", stderr="no such script")
        if script.is_file():
            done = call_verb(verb, *command[2:])
        stdout.write(done.stdout + done.stderr)
        self.returncode = done.returncode

    def poll(self):
        return self.returncode


def test_a_tiny_suite_resumes_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rooms = SETTINGS["rooms"]
    tiny = dataclasses.replace(
        rooms,
        num_scenes=2,
        pretrain=rooms.pretrain | {"num_rooms": 2, "model.offset_warmup_steps": 1, "hooks.OffsetMonitor.every": 1},
        probe=rooms.probe | {"num_rooms": 2, "epoch": 2, "batch_size": 2},
        test_scenes={"data.test.num_scenes": 1, "num_worker": 0},
        training_scenes={"data.test.num_scenes": 1, "num_worker": 0},
        label_free=("--data", "rooms", "--num-scenes", "1"),
    )
    monkeypatch.setitem(SETTINGS, "rooms", tiny)
    monkeypatch.setattr(module, "RADII", (1.5,))
    args = request("exp", jobs=2)
    runs = [Run(args, name, 0, 4) for name in ("both", "random")]

    assert runs[0].advance() and runs[0].process.poll() is None
    runs[0].stop()  # nothing of it counts as done
    assert not list(runs[0].folder.glob("*.done"))
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(Popen=InThisProcess))

    assert perform(args, runs) == []
    rows = [json.loads(run.row.read_text()) for run in runs]
    assert [row["arm"] for row in rows] == ["both", "random"]
    assert {"map", "miou", "raw_pointins_map", "off_pointins_recall50_touching", "offset_cosine"} <= set(rows[0])
    results = json.loads((runs[1].folder / "probe/results/panoptic.json").read_text())
    assert rows[1]["probe_cosine"] == -results["losses"]["bias_cosine_loss"] != 0
    assert {"map", "miou"} <= set(rows[1]) and "raw_pointins_map" not in rows[1]
    assert len(rows[0]["curves"]["canary/cosine"][0]) > 0 and "curves" not in rows[1]
    assert json.loads((args.output / "rows.json").read_text()) == rows
    assert runs[0].progress() == 1.0
    for name in ("rows.csv", "table.md", "scores.png", "monitor.png"):
        assert (args.output / "components" / name).stat().st_size > 0

    # what is done stays: an unreadable tool would now fail
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert perform(args, runs) == []
    runs[0].row.unlink()
    assert perform(args, runs) == [] and json.loads(runs[0].row.read_text()) == rows[0]
    (runs[0].folder / "label_free.done").unlink()
    runs[0].row.unlink()
    (failure,) = perform(args, runs)
    assert "both-4-seed0: label_free failed" in failure and "label_free.log" in failure


@pytest.mark.parametrize(
    ("visible", "number", "found"),
    [(None, 2, ["0", "1"]), ("2,5", 2, ["2", "5"]), ("GPU-ab,GPU-cd", 1, ["GPU-ab"]), ("", 0, []), (None, 0, [])],
)
def test_the_gpus_of_the_runs_are_those_that_we_were_given(visible, number, found, monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: number)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == found

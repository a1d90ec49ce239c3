"""The suites of ablations: every arm's config, the statistics, and a tiny suite end to end, interrupted once."""

import dataclasses
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pointins_ext.host import HOOKS, Config, default_config_parser

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import ablate  # noqa: E402
import ablation_report  # noqa: E402

ROWS = [
    dict(arm=arm, seed=seed, steps=4000, map=base + 10 * seed + 0.1 * noise, miou=50.0)
    for arm, base in (("none", 1.0), ("both", 4.0))
    for seed, noise in enumerate((0, 1, 2) if arm == "both" else (0, 0, 0))
]


def request(folder, **changes):
    return SimpleNamespace(
        **dict(suite="components", data="rooms", output=Path(folder), steps=[4], data_root="scans", grid_size=0.008)
        | changes
    )


# -- configs --------------------------------------------------------------------------------------------------------

TRAINED = [
    (data, name)
    for data in ablate.SETTINGS
    for name, arm in ablate.ARMS.items()
    if arm.config and ("plugin" not in arm.config or "rooms" in data)
]


def test_every_arm_is_in_a_suite_with_what_it_is_compared_with():
    assert set(ablate.ARMS) == {name for arms in ablate.SUITES.values() for name in arms}
    for arms in ablate.SUITES.values():
        assert set(arms.values()) <= set(arms)


@pytest.mark.parametrize("data,name", TRAINED)
def test_an_arm_is_its_scannet_config_with_other_data(data, name, tmp_path):
    run = ablate.Run(request(tmp_path, data=data), name, 0, 4)
    run.folder.mkdir(parents=True)
    options = dict(run.setting.pretrain | run.scans | run.arm.options, save_path=str(tmp_path))
    cfg = default_config_parser(str(run.config()), options)
    paper = Config.fromfile(str(ablate.CONFIGS / f"{run.arm.config}.py"))
    kinds = [hook["type"] for hook in cfg.hooks if hook["type"] != "WeightDecaySchedular"]
    assert kinds == [hook["type"] for hook in paper.hooks if hook["type"] != "WeightDecaySchedular"]
    if "model.offset_loss_weight" not in run.arm.options:
        assert cfg.model.offset_loss_weight == paper.model.offset_loss_weight
    assert cfg.model.pretrainer.type == paper.model.pretrainer.type
    kinds = dict(drives="SyntheticDrivesDataset", mosd="ScanDataset")
    kinds |= dict.fromkeys(("rooms", "ptv3-rooms"), "SyntheticRoomsDataset")
    assert cfg.data.train.type == kinds[data]
    regularizers = ("SCRHook", "ODRHook")
    assert all(name.split(".")[1] in regularizers for name in run.arm.options if "hooks" in name)
    for hook in (hook for hook in cfg.hooks if hook["type"] in regularizers):
        HOOKS.build(hook)


@pytest.mark.parametrize(
    "data,steps,num_scenes",
    [("rooms", 4000, 200), ("rooms", 4000, 30), ("rooms", 7, 200), ("rooms", 601, 60), ("ptv3-rooms", 4001, 200)],
)
def test_pretraining_has_at_least_the_steps_and_whole_epochs(data, steps, num_scenes, tmp_path):
    run = ablate.Run(request(tmp_path, data=data), "both", 0, steps)
    run.setting = dataclasses.replace(run.setting, num_scenes=num_scenes)
    run.folder.mkdir(parents=True)
    options = dict(item.split("=") for item in run.pretraining() if "=" in str(item))
    epoch, saves = int(options["epoch"]), int(options["eval_epoch"])
    steps_an_epoch = num_scenes // int(options["batch_size"])
    assert epoch % saves == 0 and steps <= epoch * steps_an_epoch < steps + max(20, 1) * steps_an_epoch


def test_seeds_change_the_runs_and_nothing_else(tmp_path):
    commands = []
    for seed in (0, 1):
        run = ablate.Run(request(tmp_path), "both", seed, 4)
        run.folder.mkdir(parents=True)
        commands.append([str(word).replace(run.folder.name, "") for word in run.pretraining()])
    changed = [pair for pair in zip(*commands, strict=True) if pair[0] != pair[1]]
    assert changed == [("seed=0", "seed=1")]


@pytest.mark.parametrize("data", [data for data, setting in ablate.SETTINGS.items() if "semantic" in setting.probes])
def test_semantics_are_scored_on_the_probes_own_scenes(data, tmp_path):
    run = ablate.Run(request(tmp_path, data=data), "none", 0, 4)
    run.folder.mkdir(parents=True)
    config = run.setting.probes["semantic"]
    cfg, probe = (default_config_parser(str(path), {}) for path in (run.semantic(config), run.downstream(config)))
    assert cfg.test == dict(type="SemanticTester", fragments=False)
    assert cfg.data == probe.data and cfg.model == probe.model
    assert cfg.model.type == "PanSeg-v1m1"  # the instance model keeps its logits to itself


# -- statistics -----------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_interval_is_students(values):
    mean, width = ablation_report.interval(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    if np.std(values) > 1e-6:
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert (mean - width, mean + width) == pytest.approx((low, high), abs=1e-6)


def test_interval_of_one_run_is_unknown():
    assert math.isnan(ablation_report.interval([3.0])[1])


def test_pairs_share_a_seed():
    difference = ablation_report.paired(ROWS[1:], "both", "none", "map")  # none lacks seed 0
    np.testing.assert_allclose(difference, [3.1, 3.2])
    assert len(ablation_report.paired(ROWS, "both", "none", "pq")) == 0


def test_table_has_every_arm_and_the_differences_by_seed():
    lines = ablation_report.table(ROWS, dict.fromkeys(("none", "both", "paper"), "none")).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["arm", "---", "none", "both", "both - none"]
    # seeds differ by 10, the arms by 3.1 on every one of them
    width = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert f"+3.1 ± {width:.1f}" in lines[-1]
    assert "+0.0 ± 0.0" in lines[-1]


def test_rivals_stand_below_the_arms_with_and_without_planes():
    ours = dict(raw_pointins_map=30.0, off_pointins_map=31.0)
    theirs = dict(raw_components_map=5.0, planes_components_map=20.0, off_components_map=21.0)
    lines = ablation_report.table([ROWS[0] | ours | theirs], dict.fromkeys(("none",), "none")).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0][-2:] == ["offsets mAP", "offsets mAP, planes removed"]
    assert cells[3] == ["spatial components", "", "", "", "5.0", "21.0"]
    assert cells[4] == ["spatial components + planes", "", "", "", "20.0", ""]


def test_only_the_reference_scores_the_rivals_and_with_their_own_parameters(tmp_path):
    for data, setting in ablate.SETTINGS.items():
        flags = [str(word) for word in ablate.Run(request(tmp_path, data=data), "none", 0, 4).label_free("w.pth")]
        assert "--methods" not in flags and flags[flags.index("--rivals") + 1] == setting.rivals
        assert "--methods" in ablate.Run(request(tmp_path, data=data), "both", 0, 4).label_free("w.pth")


def test_curves_are_of_every_number_of_steps_and_the_table_of_the_most(tmp_path):
    fewer = [row | dict(steps=1000, map=row["map"] - (2.0 if row["arm"] == "both" else 0.5)) for row in ROWS]
    none_at_all = [dict(arm="random", seed=0, steps=0, map=0.5, miou=40.0)]
    arms = dict.fromkeys(("random", "none", "both"), "none")
    ablation_report.write_report(tmp_path, fewer + ROWS + none_at_all, arms)
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines == ablation_report.table(ROWS + none_at_all, arms).splitlines()
    curve = (tmp_path / "curve.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in curve] == ["steps", "---", "1000", "4000"]
    assert "+1.6 ±" in curve[2] and "+3.1 ±" in curve[3]
    assert (tmp_path / "curve.png").stat().st_size > 0
    ablation_report.write_report(tmp_path / "one", ROWS, arms)
    assert not (tmp_path / "one/curve.md").exists()


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=200))
def test_a_thinned_curve_keeps_its_mean_and_order(values):
    steps, means = ablation_report.thinned(range(len(values)), values, points=20)
    assert len(steps) == len(means) == min(20, len(values)) and steps == sorted(steps)
    parts = [len(part) for part in np.array_split(values, len(means))]
    assert np.average(means, weights=parts) == pytest.approx(np.mean(values), abs=1e-2)


def test_rows_from_elsewhere_are_done_and_own_ones_stay(tmp_path, monkeypatch):
    theirs = tmp_path / "rows.json"
    theirs.write_text(json.dumps([row for row in ROWS if row["arm"] == "none"]))
    own = ablate.Run(request(tmp_path / "exp"), "none", 1, 4000).row
    ablate.write_text(own, json.dumps(ROWS[1] | dict(map=99.0)))
    flags = [
        "--suite",
        "components",
        "--data",
        "rooms",
        "--arms",
        "none",
        "--rows",
        theirs,
        "--output",
        tmp_path / "exp",
    ]
    monkeypatch.setattr(sys, "argv", ["ablate.py", *map(str, flags)])
    monkeypatch.setattr(ablate.Run, "start", None)  # nothing is left to run
    ablate.main()
    rows = json.loads((tmp_path / "exp/rows.json").read_text())
    assert [row["map"] for row in rows] == [ROWS[0]["map"], 99.0, ROWS[2]["map"]]


@pytest.mark.parametrize(
    "flags,error,message",
    [
        (
            ["--suite", "layout", "--data", "rooms", "--arms", "paper"],
            ValueError,
            "no arm .'paper'.; it has none, both",
        ),
        (["--suite", "plugin", "--data", "drives"], ValueError, "for rooms or ptv3-rooms alone, not drives"),
        (["--suite", "scr", "--data", "mosd", "--data-root", "nowhere"], FileNotFoundError, "found 'nowhere'"),
    ],
)
def test_unusable_requests_are_named(flags, error, message, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ablate.py", *flags])
    with pytest.raises(error, match=message):
        ablate.arguments()


def test_failed_runs_end_in_a_line(tmp_path, monkeypatch):
    flags = ["--suite", "layout", "--data", "rooms", "--arms", "none", "--output", str(tmp_path)]

    def broken(run):
        raise RuntimeError(f"{run.folder.name}: pretrain failed")

    monkeypatch.setattr(sys, "argv", ["ablate.py", *flags])
    monkeypatch.setattr(ablate.Run, "advance", broken)
    with pytest.raises(SystemExit, match="^error: 3 of 3 runs failed; the same command tries them again$"):
        ablate.main()


def test_share_of_a_log(tmp_path):
    log = tmp_path / "train.log"
    assert ablate.trained_share(log) == 0.0
    log.write_text("Train: [1/20][10/200] loss\nTrain: [3/20][100/200] loss\n")
    assert ablate.trained_share(log) == pytest.approx(2.5 / 20)


def test_what_no_object_has_is_no_column():
    """Sweeps have no touching objects."""
    scores = dict(map=0.25, ap50=0.5, recall50_touching=math.nan)
    offsets = dict(cosine=0.7, length=0.4, mean_direction=0.1)
    tables = dict(unsupervised=dict(pointins=scores), unsupervised_planes_off=dict(pointins=scores), offsets=offsets)
    tables["unsupervised_with_planes"] = dict(components=dict(scores, map=0.5))
    row = ablate.label_free_scores(tables)
    assert row["planes_components_map"] == 50.0
    assert row["raw_pointins_map"] == row["off_pointins_map"] == 25.0 and row["offset_cosine"] == 0.7
    assert not any("touching" in name for name in row)


# -- end to end -----------------------------------------------------------------------------------------------------


def test_a_tiny_suite_resumes_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rooms = ablate.SETTINGS["rooms"]
    tiny = dataclasses.replace(
        rooms,
        num_scenes=2,
        pretrain=rooms.pretrain | {"num_rooms": 2, "model.offset_warmup_steps": 1, "hooks.OffsetMonitor.every": 1},
        probe=rooms.probe | {"num_rooms": 2, "epoch": 2, "batch_size": 2},
        test_scenes={"data.test.num_scenes": 1, "num_worker": 0},
        label_free=("--data", "rooms", "--num-scenes", "1"),
    )
    monkeypatch.setitem(ablate.SETTINGS, "rooms", tiny)
    args = request("exp", jobs=2)
    runs = [ablate.Run(args, name, 0, 4) for name in ("both", "random")]

    assert runs[0].advance() and runs[0].process.poll() is None
    runs[0].stop()  # nothing of it counts as done
    assert not list(runs[0].folder.glob("*.done"))

    assert ablate.perform(args, runs) == []
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
    monkeypatch.setattr(ablate, "ROOT", tmp_path)
    assert ablate.perform(args, runs) == []
    runs[0].row.unlink()
    assert ablate.perform(args, runs) == [] and json.loads(runs[0].row.read_text()) == rows[0]
    (runs[0].folder / "label_free.done").unlink()
    runs[0].row.unlink()
    (failure,) = ablate.perform(args, runs)
    assert "both-4-seed0: label_free failed" in failure and "label_free.log" in failure

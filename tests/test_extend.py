"""`-e pointins`: what of a pretraining config changes, what does not, and what is refused."""

import copy
import re
from pathlib import Path

import pytest

from pointins_ext.extend import extend, switched_config_file
from pointins_ext.hooks import presets
from pointins_ext.host import Config
from tests.fixtures.branch_settings import BRANCH, settings

ROOT = Path(__file__).parents[1]

VIEWS = dict(
    type="MultiViewGenerator",
    global_transform=[dict(type="RandomFlip", p=0.5), dict(type="ElasticDistortion")],
    local_transform=[dict(type="ElasticDistortion")],
)
TREE = dict(
    model=dict(type="Sonata-v1m1", backbone=dict(type="PT-v3m2"), head_in_channels=80),
    data=dict(
        train=dict(
            type="ConcatDataset",
            datasets=[
                dict(type="ScanNetDataset", transform=[dict(type="GridSample"), VIEWS]),
                dict(type="S3DISDataset", transform=[dict(type="ElasticDistortion"), dict(type="ToTensor")]),
            ],
        ),
        val=dict(type="ScanNetDataset", transform=[dict(type="ElasticDistortion")]),
    ),
    hooks=[
        dict(type="CheckpointLoader", keywords="a", replacement="b"),
        dict(type="ModelHook"),
        dict(type="WeightDecaySchedular"),
        dict(type="CheckpointSaver"),
    ],
    train=dict(type="DefaultTrainer"),
    optimizer=dict(type="AdamW", lr=0.004),
    enable_wandb=False,
)


def config(**changes):
    return Config(copy.deepcopy({**TREE, **changes}), filename="upstream.py")


def types(hooks):
    return [hook["type"] for hook in hooks]


def test_model_views_hooks_and_trainer_change_and_nothing_else():
    cfg = config()
    changes = extend(cfg)
    assert cfg.model.type == "PointINS-v1m1" and cfg.model.pretrainer == TREE["model"]
    assert "in_channels" not in cfg.model.offset_head  # that of the pretrainer, whatever an option makes of it
    first, second = cfg.data.train.datasets
    assert types(first["transform"]) == ["GridSample", "MultiViewGenerator"]
    assert types(first["transform"][1]["global_transform"]) == ["RandomFlip"]
    assert first["transform"][1]["local_transform"] == [] and types(second["transform"]) == ["ToTensor"]
    assert cfg.data.val == TREE["data"]["val"] and cfg.optimizer == TREE["optimizer"]
    branch = ["ODRHook", "SCRHook", "OffsetMonitor"]
    assert types(cfg.hooks) == ["WeightLoader", "ModelHook", *branch, "WeightDecaySchedular", "CheckpointSaver"]
    assert cfg.hooks[0]["keywords"] == "a" and cfg.hooks[2]["prior"] == "indoor"
    assert cfg.train.type == "PointINSTrainer" and cfg.custom_imports["imports"] == ["pointins_ext"]
    assert "data.train: ElasticDistortion taken out of 3 lists of transforms" in changes and len(changes) == 6


def test_driving_scenes_get_longer_offsets_and_other_trainers_and_imports_stay():
    data = dict(train=dict(type="NuScenesDataset", transform=[]))
    hooks = [dict(type="CheckpointSaver")]
    imports = dict(imports=["mine"], allow_failed_imports=False)
    cfg = config(data=data, hooks=hooks, train=dict(type="MultiDatasetTrainer"), custom_imports=imports)
    extend(cfg)
    assert types(cfg.hooks) == ["ModelHook", "ODRHook", "SCRHook", "OffsetMonitor", "CheckpointSaver"]
    assert (
        cfg.hooks[1]["prior"] == "outdoor" and cfg.hooks[2]["max_length"] == 6.0 and cfg.hooks[3]["canary_seed"] is None
    )
    assert cfg.train.type == "MultiDatasetTrainer" and cfg.custom_imports["imports"] == ["mine", "pointins_ext"]


def test_pointcepts_partial_sampling_stays():
    cfg = config(train=dict(type="PartialSampledTrainer"))
    assert "train: PointINSPartialSampledTrainer instead of PartialSampledTrainer" in extend(cfg)
    assert cfg.train.type == "PointINSPartialSampledTrainer"


def test_a_mix_with_driving_scenes_is_taken_for_indoor_and_says_so():
    scans = [dict(type=kind, transform=[]) for kind in ("WaymoImagePointDataset", "ScanNetDataset")]
    cfg = config(data=dict(train=dict(type="ConcatDataset", datasets=scans)))
    (said,) = [line for line in extend(cfg) if line.startswith("scenes:")]
    assert "set prior of ODRHook and max_length of SCRHook" in said
    assert cfg.hooks[2]["prior"] == "indoor" and cfg.hooks[3]["max_length"] == 1.9


@pytest.mark.parametrize(
    "model, message",
    [
        (
            dict(type="Concerto-v1m2_distill", backbone_s=dict(), backbone_t=dict()),
            "upstream.py: .*distills a trained model.*pretrain that model with -e pointins",
        ),
        (
            dict(type="DefaultSegmentorV2", backbone=dict(type="PT-v3m2")),
            "upstream.py: .* no teacher-student",
        ),
        (dict(type="PointINS-v1m1", pretrainer=dict()), "PointINS-v1m1 already; leave -e pointins out"),
    ],
)
def test_what_cannot_be_switched_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        extend(config(model=model))


def test_a_switched_file_says_what_was_changed_and_reads_back(tmp_path):
    source = tmp_path / "pretrain.py"
    config().dump(str(source))
    before = source.read_text()
    with switched_config_file(source, {}) as path:
        cfg = Config.fromfile(path)
    assert cfg.model.pretrainer == TREE["model"] and len(cfg.pointins_changes) == 6
    assert source.read_text() == before and [p.name for p in tmp_path.iterdir()] == ["pretrain.py"]


def test_options_that_name_a_variable_reach_what_is_computed_from_it(tmp_path):
    source = tmp_path / "pretrain.py"
    rate = 'base_lr = 0.004\nscheduler = dict(type="OneCycleLR", max_lr=[base_lr, base_lr * 0.9])\n'
    source.write_text(config().pretty_text + rate)
    with switched_config_file(source, {"base_lr": 0.01, "hooks.OffsetMonitor.every": 5}) as path:
        cfg = Config.fromfile(path)
    assert cfg.scheduler.max_lr == [0.01, 0.01 * 0.9] and cfg.base_lr == 0.01


@pytest.mark.parametrize(
    "kind, dataset, shipped",
    [("indoor", "ScanNetDataset", "sonata-ptv3-indoor"), ("outdoor", "NuScenesDataset", "dos-ptv3-nuscenes")],
)
def test_switched_shipped_bare_and_readmes_hooks_are_the_same(kind, dataset, shipped):
    expected = settings(Config.fromfile(str(ROOT / f"configs/pointins/pretrain-{shipped}.py")).hooks)
    cfg = config(data=dict(train=dict(type=dataset, transform=[])))
    extend(cfg)
    assert settings(cfg.hooks) == expected
    scr = expected["SCRHook"]["scr"]
    assert (scr["min_points"], scr["max_length"]) == dict(indoor=(10, 1.9), outdoor=(5, 6.0))[kind]
    if kind == "indoor":
        assert settings(dict(type=name) for name in BRANCH) == expected
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        (listed,) = re.findall(r"^hooks = \[\.\.\., (.*), \.\.\.\]$", readme, re.MULTILINE)
        assert settings(eval(f"[{listed}]")) == expected


def test_a_switched_config_may_be_changed_without_changing_the_defaults():
    before, cfg = copy.deepcopy(presets.SCR), config()
    extend(cfg)
    cfg.hooks[3]["min_points"] = 7
    assert presets.SCR == before


def test_readme_quotes_the_table_of_defaults():
    readme = (ROOT / "configs/pointins/README.md").read_text(encoding="utf-8")
    for preset, odr in presets.ODR.items():
        row = f"{odr['prior']} | {odr['strength']:g} | {odr['direction']} | {odr['ramp_steps']} steps"
        assert re.search(rf"^\| `\"{preset}\"`[^|]*\| {re.escape(row)} \|$", readme, re.MULTILINE), row
    for preset, scr in presets.SCR.items():
        row = " | ".join((*_kmeans_cells(scr), f"{scr['min_points']} voxels", _meters(scr["max_length"])))
        assert re.search(rf"^\| `\"{preset}\"`[^|]*\| {scr['cut']} \| {re.escape(row)} \|$", readme, re.MULTILINE), row


def _kmeans_cells(scr):
    if scr["cut"] == "pairwise":
        return ("-",) * 4
    late = scr["late"]
    later = f"K {late['num_clusters']} from {scr['late_start']:.0%} of the steps".replace("%", " %") if late else "-"
    return str(scr["num_clusters"]), scr["feature"], _meters(scr["radius"]), later


def _meters(value):
    return f"{value:g} m" if value else "none"

"""The ablations: each differs from PointINS on DOS in what its name says, and trains."""

from pathlib import Path

import pytest

from pointins_ext.branch import OffsetDistributionRegularization as ODR
from pointins_ext.branch import PairwiseClusteringRegularization as SCR
from pointins_ext.branch import SpatialClusteringRegularization as KMEANS
from pointins_ext.hooks.oracle import OracleHook
from pointins_ext.host import NAME, TRAINERS, Config
from tests.fixtures.scalars import read_scalars
from tests.fixtures.shrunk_pretraining import load

FOLDER = Path(__file__).parents[1] / "configs" / "pointins"
CONFIGS = sorted((FOLDER / "ablations").glob("*.py"))
NAMES = [path.stem for path in CONFIGS]
TRAINED = [pytest.param(path, marks=() if NAME == "embedded" else pytest.mark.slow) for path in CONFIGS]
# kinds of regularizers of the teacher and of the student
SIDES = {
    "components-none": ([], []),
    "components-offsets": ([], []),
    "components-odr": ([ODR], []),
    "components-oracle": ([OracleHook], []),
    "components-oracle_stuff": ([KMEANS, OracleHook], []),
    "components-scr": ([SCR], []),
    "components-kmeans": ([KMEANS], []),
    "components-odr_kmeans": ([ODR, KMEANS], []),
    "components-paper": ([ODR, KMEANS], []),
    "layout-scr_then_odr": ([SCR, ODR], []),
    "layout-odr_student": ([SCR], [ODR]),
}


@pytest.mark.parametrize("path", TRAINED, ids=NAMES)
def test_two_steps(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load(path)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    trainer.train()
    teacher, student = SIDES.get(path.stem, ([ODR, SCR], []))
    assert [type(r) for r in trainer.model.teacher_regularizers] == teacher
    assert [type(r) for r in trainer.model.student_regularizers] == student
    losses = read_scalars(cfg.save_path)["train_batch/loss"]
    assert len(losses) == 2


def test_components_both_is_the_shipped_config():
    shipped, both = (
        Config.fromfile(str(path))
        for path in (FOLDER / "pretrain-dos-ptv3-scannet.py", FOLDER / "ablations" / "components-both.py")
    )
    assert both.hooks == shipped.hooks and both.model == shipped.model


def test_the_folder_is_complete():
    """The studies of the paper: components, priors, layout, plug-in."""
    wanted = {f"components-{name}" for name in ("none", "offsets", "odr", "scr", "both", "oracle")}
    wanted |= {f"components-{name}" for name in ("kmeans", "odr_kmeans", "paper", "oracle_stuff")}
    wanted |= {f"priors-{name}" for name in ("uniform", "half_normal", "scannet", "nuscenes", "hdbscan")}
    wanted |= {"layout-scr_then_odr", "layout-odr_student"}
    wanted |= {f"plugin-{name}-{way}" for name in ("dos", "sonata", "psa") for way in ("with", "without")}
    assert wanted == set(NAMES)


@pytest.mark.parametrize("path", sorted((FOLDER / "label_efficiency").glob("*.py")), ids=lambda path: path.stem)
def test_label_efficiency_changes_the_training_labels_alone(path):
    cfg = Config.fromfile(str(path))
    full = Config.fromfile(str(FOLDER / f"{path.stem.rsplit('-', 1)[0]}.py"))
    changed = {key for key in cfg.data.train if cfg.data.train[key] != full.data.train.get(key)}
    assert changed in ({"la_file"}, {"lr_file"}, {"share"}, {"scenes"})
    assert cfg.model == full.model and cfg.data.val == full.data.val

"""What the ablations compare: arms and the suites that they form, and the data sets that every arm can run on."""

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs/pointins/ablations"


@dataclass(frozen=True)
class Arm:
    """A config of configs/pointins/ablations, or None for no pretraining at all, and overrides of it."""

    config: str | None
    options: dict = field(default_factory=dict)
    probe: str = "-lin"  # suffix of the downstream configs
    backbone: dict | None = None  # another one, of the pretraining and of the probe


def scr_arm(**options) -> Arm:
    """ODR and SCR of K-means with other options of its SCRHook."""
    return Arm("components-odr_kmeans", {f"hooks.SCRHook.{name}": value for name, value in options.items()})


ARMS = {
    "none": Arm("components-none"),
    "offsets": Arm("components-offsets"),
    "odr": Arm("components-odr"),
    "scr": Arm("components-scr"),
    "both": Arm("components-both"),
    "kmeans": Arm("components-kmeans"),
    "odr_kmeans": Arm("components-odr_kmeans"),
    "paper": Arm("components-paper"),
    "oracle": Arm("components-oracle"),
    "oracle_stuff": Arm("components-oracle_stuff"),
    "random": Arm(None),
    "supervised": Arm(None, probe=""),
    "scr_then_odr": Arm("layout-scr_then_odr"),
    "odr_student": Arm("layout-odr_student"),
    "constant": scr_arm(late=None),
    "late_wide": Arm("components-odr_kmeans", {"hooks.SCRHook.late.radius": 0.12}),
    "late_k1": Arm("components-odr_kmeans", {"hooks.SCRHook.late.num_clusters": 1}),
    "k3": scr_arm(num_clusters=3),
    "k8": scr_arm(num_clusters=8),
    "k20": scr_arm(num_clusters=20),
    "concat": scr_arm(feature="concat"),
    "balanced": scr_arm(feature="balanced"),
    "exclude_cut": scr_arm(exclude_cut=True),
    "lambda_1": Arm("components-odr_kmeans", {"model.offset_loss_weight": 1.0}),
    "no_ramp": Arm("components-odr_kmeans", {"hooks.ODRHook.ramp_steps": 0}),
}
ARMS |= {f"prior_{n}": Arm(f"priors-{n}") for n in ("uniform", "half_normal", "scannet", "nuscenes", "hdbscan")}
ARMS |= {f"{name}_{way}": Arm(f"plugin-{name}-{way}") for name in ("sonata", "psa") for way in ("without", "with")}
KMEANS = {"hooks.SCRHook.preset": "kmeans", "hooks.SCRHook.late.radius": 0.08}
ARMS |= {f"{name}_kmeans": Arm(f"plugin-{name}-with", KMEANS) for name in ("sonata", "psa")}
# of the size of the small PTv3: convolutions in the two fine stages, attention in the two coarse ones
ARMS["litept"] = Arm(
    "components-scr",
    backbone=dict(
        _delete_=True,
        type="LitePT-v1",
        in_channels=9,
        order=("z", "z-trans"),
        stride=(2, 2, 2),
        enc_depths=(0, 1, 2, 1),
        enc_channels=(36, 72, 108, 144),
        enc_num_head=(2, 4, 6, 8),
        enc_patch_size=(128, 128, 128, 128),
        enc_conv=(True, True, False, False),
        enc_attn=(False, False, True, True),
        enc_rope_freq=(100.0, 100.0, 100.0, 100.0),
        drop_path=0.0,
        enc_mode=True,
    ),
)

REFERENCE = "none"

# suite -> its arms, each with the one that it is compared with; suites share their runs
SUITES = {
    "components": dict.fromkeys(
        (
            "random",
            "none",
            "offsets",
            "odr",
            "scr",
            "both",
            "kmeans",
            "odr_kmeans",
            "paper",
            "oracle",
            "oracle_stuff",
            "supervised",
        ),
        "none",
    ),
    "backbone": dict.fromkeys(("scr", "litept"), "scr"),
    "priors": dict.fromkeys(("scr", *(name for name in ARMS if name.startswith("prior_"))), "scr"),
    "layout": dict.fromkeys(("none", "both", "scr_then_odr", "odr_student"), "none"),
    "plugin": {
        **dict.fromkeys(("none", "both", "odr_kmeans"), "none"),
        **dict.fromkeys(("sonata_without", "sonata_with", "sonata_kmeans"), "sonata_without"),
        **dict.fromkeys(("psa_without", "psa_with", "psa_kmeans"), "psa_without"),
    },
    "scr": dict.fromkeys(
        (
            "odr_kmeans",
            "constant",
            "late_wide",
            "late_k1",
            "k3",
            "k8",
            "k20",
            "concat",
            "balanced",
            "exclude_cut",
            "lambda_1",
            "no_ramp",
        ),
        "odr_kmeans",
    ),
}


@dataclass(frozen=True)
class Setting:
    """A data set: how it is pretrained on, probed and scored."""

    config: str  # in the place of scannet in the arms' bases
    num_scenes: int  # of the pretraining
    pretrain: dict  # overrides of the arms
    probes: dict[str, str]  # task -> downstream config; the first is trained, all score its weights
    probe: dict  # overrides of the downstream configs
    test_scenes: dict  # overrides that choose the scenes to score
    training_scenes: dict  # and those on which the probe's grouping radius is chosen, for every run by itself
    label_free: tuple[str, ...]  # flags of evaluate_label_free.py
    rivals: str  # whose parameters in pointins_ext/instances/rivals.json its rivals take
    scene_seed: str | None = None  # option of the pretraining that varies its scenes with the seed of the run
    scans: bool = False  # lies in a folder of the user's


# One scene a step, a schedule that ends, and the paper's warm-up of 10 %.
LONG = {"batch_size": 1, "num_worker": 0, "scheduler.final_div_factor": 100.0, "model.offset_warmup_steps": None}
# 300 steps at the configs' learning rate: chosen on the baseline alone, on rooms of the split test
RADII = (1.0, 1.5, 2.0, 2.5, 3.0)  # of the grouping of instances, voxels
PROBE = {"batch_size": 2, "eval_epoch": 1, "evaluate": False, "num_worker": 0}
SETTINGS = {
    "rooms": Setting(
        config="rooms",
        num_scenes=200,
        pretrain={**LONG, "num_rooms": 200},
        probes=dict(instance="insseg-rooms", semantic="panseg-rooms", panoptic="panseg-rooms"),
        probe={**PROBE, "epoch": 30},
        # scores of 48 rooms differ by 0.7 mAP from those of 48 others
        test_scenes={"data.test.num_scenes": 192, "num_worker": 0},
        training_scenes={"data.test.split": "train", "data.test.num_scenes": 48, "num_worker": 0},
        label_free=("--data", "rooms", "--num-scenes", "48"),
        rivals="rooms",
        scene_seed="room_seed",
    ),
    # PTv3 of the paper's size, 2 cm voxels
    "ptv3-rooms": Setting(
        config="ptv3-rooms",
        num_scenes=200,
        # one learning rate, that of small batches, for all blocks
        pretrain={"batch_size": 8, "num_worker": 4, "param_dicts": None, "optimizer.lr": 0.001}
        | {"scheduler.max_lr": [0.001], "num_rooms": 200},
        probes=dict(instance="insseg-ptv3-rooms", semantic="panseg-ptv3-rooms", panoptic="panseg-ptv3-rooms"),
        probe={"eval_epoch": 1, "evaluate": False},
        test_scenes={"data.test.num_scenes": 48},
        training_scenes={"data.test.split": "train", "data.test.num_scenes": 48},
        label_free=("--data", "rooms", "--num-scenes", "48"),
        rivals="rooms",
        scene_seed="room_seed",
    ),
    "drives": Setting(
        config="drives",
        num_scenes=200,
        pretrain={**LONG, "num_drives": 200},
        probes=dict(panoptic="panseg-drives", semantic="panseg-drives"),
        probe={**PROBE, "epoch": 30},
        test_scenes={"data.test.num_scenes": 96, "num_worker": 0},
        training_scenes={},  # no task that groups by a radius
        label_free=("--data", "drives", "--num-scenes", "48"),
        rivals="drives",
        scene_seed="drive_seed",
    ),
    "mosd": Setting(
        config="scans",
        num_scenes=30,
        pretrain={**LONG, "split": "train"},
        probes=dict(instance="insseg-scans"),
        probe={**PROBE, "epoch": 20},
        test_scenes={"num_worker": 0},
        training_scenes={"data.test.split": "train", "num_worker": 0},
        label_free=("--split", "val"),
        rivals="mosd",
        scans=True,
    ),
}

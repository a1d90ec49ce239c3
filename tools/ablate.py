"""Run a suite of ablations end to end: pretrain, probe, evaluate. One row a run, compared seed by seed.

    python tools/ablate.py --suite components --data rooms --seeds 3 --steps 4000
    python tools/ablate.py --suite components --data rooms --arms none both --steps 1000 2000 4000
    python tools/ablate.py --suite components --data mosd --data-root FOLDER --grid-size 0.008 --seeds 3
    python tools/ablate.py --suite components --data ptv3-rooms  # on a GPU, PTv3 of the paper's size

Call it again after any interruption: what is done stays, what was running goes on from its last checkpoint, and more
seeds or arms may be asked for. Suites share their runs. Tables and pictures, in a folder for each suite, are rewritten
after every run, and so is rows.json with all that is known of each; `--rows tools/results/rooms.json` takes the
reported runs as done, so that arms of your own need no baselines again.
"""

import argparse
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from ablation_report import CURVES, thinned, write_report
from tqdm import tqdm

from pointins_ext.errors import UserError, exit_on_user_error
from pointins_ext.files import write_text
from pointins_ext.flags import at_least, output_folder, positive
from pointins_ext.visualization.curve import read_curves

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs/pointins/ablations"


@dataclass(frozen=True)
class Arm:
    """A config of configs/pointins/ablations, or None for no pretraining at all, and overrides of it."""

    config: str | None
    options: dict = field(default_factory=dict)
    probe: str = "-lin"  # suffix of the downstream configs


def scr_arm(**options) -> Arm:
    """PointINS with other options of its SCRHook."""
    return Arm("components-both", {f"hooks.SCRHook.{name}": value for name, value in options.items()})


ARMS = {
    "none": Arm("components-none"),
    "offsets": Arm("components-offsets"),
    "odr": Arm("components-odr"),
    "scr": Arm("components-scr"),
    "both": Arm("components-both"),
    "paper": Arm("components-paper"),
    "oracle": Arm("components-oracle"),
    "random": Arm(None),
    "supervised": Arm(None, probe=""),
    "scr_then_odr": Arm("layout-scr_then_odr"),
    "odr_student": Arm("layout-odr_student"),
    "constant": scr_arm(late=None),
    "late_wide": Arm("components-both", {"hooks.SCRHook.late.radius": 0.12}),
    "late_k1": Arm("components-both", {"hooks.SCRHook.late.num_clusters": 1}),
    "k3": scr_arm(num_clusters=3),
    "k8": scr_arm(num_clusters=8),
    "k20": scr_arm(num_clusters=20),
    "concat": scr_arm(feature="concat"),
    "balanced": scr_arm(feature="balanced"),
    "exclude_cut": scr_arm(exclude_cut=True),
    "lambda_1": Arm("components-both", {"model.offset_loss_weight": 1.0}),
    "no_ramp": Arm("components-both", {"hooks.ODRHook.ramp_steps": 0}),
}
ARMS |= {f"prior_{n}": Arm(f"priors-{n}") for n in ("uniform", "half_normal", "scannet", "nuscenes", "hdbscan")}
ARMS |= {f"{name}_{way}": Arm(f"plugin-{name}-{way}") for name in ("sonata", "psa") for way in ("without", "with")}

REFERENCE = "none"

# suite -> its arms, each with the one that it is compared with; suites share their runs
SUITES = {
    "components": dict.fromkeys(
        ("random", "none", "offsets", "odr", "scr", "both", "paper", "oracle", "supervised"), "none"
    ),
    "priors": dict.fromkeys(("scr", *(name for name in ARMS if name.startswith("prior_"))), "scr"),
    "layout": dict.fromkeys(("none", "both", "scr_then_odr", "odr_student"), "none"),
    "plugin": {
        **dict.fromkeys(("none", "both"), "none"),
        **dict.fromkeys(("sonata_without", "sonata_with"), "sonata_without"),
        **dict.fromkeys(("psa_without", "psa_with"), "psa_without"),
    },
    "scr": dict.fromkeys(
        (
            "both",
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
        "both",
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
    label_free: tuple[str, ...]  # flags of evaluate_label_free.py
    rivals: str  # whose parameters in pointins_ext/instances/rivals.json its rivals take
    scans: bool = False  # lies in a folder of the user's


# One scene a step, a schedule that ends, and the paper's warm-up of 10 %.
LONG = {"batch_size": 1, "num_worker": 0, "scheduler.final_div_factor": 100.0, "model.offset_warmup_steps": None}
# prefix of a column -> table of evaluate_label_free.py
PROTOCOLS = dict(raw="unsupervised", planes="unsupervised_with_planes", off="unsupervised_planes_off")
WANTED = {"instance": ("map", "ap50", "ap25"), "semantic": ("miou",), "panoptic": ("pq",)}
# 300 steps at the configs' learning rate: chosen on the baseline alone, on rooms of the split test
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
        label_free=("--data", "rooms", "--num-scenes", "48"),
        rivals="rooms",
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
        label_free=("--data", "rooms", "--num-scenes", "48"),
        rivals="rooms",
    ),
    "drives": Setting(
        config="drives",
        num_scenes=200,
        pretrain={**LONG, "num_drives": 200},
        probes=dict(panoptic="panseg-drives", semantic="panseg-drives"),
        probe={**PROBE, "epoch": 30},
        test_scenes={"data.test.num_scenes": 96, "num_worker": 0},
        label_free=("--data", "drives", "--num-scenes", "48"),
        rivals="drives",
    ),
    "mosd": Setting(
        config="scans",
        num_scenes=30,
        pretrain={**LONG, "split": "train"},
        probes=dict(instance="insseg-scans"),
        probe={**PROBE, "epoch": 20},
        test_scenes={"num_worker": 0},
        label_free=("--split", "val"),
        rivals="mosd",
        scans=True,
    ),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", required=True, choices=sorted(SUITES))
    parser.add_argument("--data", required=True, choices=sorted(SETTINGS))
    parser.add_argument("--data-root", help="folder with train and val of labeled scans (--data mosd)")
    parser.add_argument(
        "--grid-size", type=positive, default=0.008, help="voxel of these scans, meters (default %(default)g)"
    )
    parser.add_argument(
        "--seeds", type=at_least(1), default=3, help="runs of every arm: seeds 0, 1, ... (default %(default)s)"
    )
    parser.add_argument(
        "--steps", type=at_least(1), nargs="+", default=[4000], help="pretraining steps of a run; several: curves, too"
    )
    parser.add_argument("--arms", nargs="+", help="some arms of the suite only")
    parser.add_argument("--output", type=output_folder, help="folder of runs and tables (default exp/ablations/DATA)")
    parser.add_argument(
        "--jobs", type=at_least(1), help="runs at a time, on every GPU if there are any (default 1 a GPU or core)"
    )
    parser.add_argument("--rows", help="rows.json of runs that are done elsewhere, such as tools/results/rooms.json")
    parser.add_argument("--report", action="store_true", help="write tables and pictures of what is there, run nothing")
    args = parser.parse_args()
    unknown = set(args.arms or ()) - set(SUITES[args.suite])
    if unknown:
        raise UserError(f"suite {args.suite} has no arm {sorted(unknown)}; it has {', '.join(SUITES[args.suite])}")
    if args.suite == "plugin" and "rooms" not in args.data:
        raise UserError(f"suite plugin has configs of Sonata and PSA for rooms or ptv3-rooms alone, not {args.data}")
    if SETTINGS[args.data].scans and not os.path.isdir(args.data_root or ""):
        raise FileNotFoundError(
            f"--data {args.data} needs --data-root, a folder with train and val scans; found {args.data_root!r}"
        )
    args.output = Path(args.output or f"exp/ablations/{args.data}")
    return args


class Run:
    """One arm with one seed, in a folder of its own: stages that are skipped once they are done."""

    def __init__(self, args, name: str, seed: int, steps: int):
        self.arm, self.name, self.seed = ARMS[name], name, seed
        # the one that also scores the geometric baselines, which are the same for all
        self.is_reference = seed == 0 and name == REFERENCE and steps == max(args.steps)
        self.setting = SETTINGS[args.data]
        pretrained = f"-{steps}" if self.arm.config else ""
        self.folder = args.output / "runs" / f"{name}{pretrained}-seed{seed}"
        self.steps = steps if self.arm.config else 0
        self.scans = dict(data_root=args.data_root, grid_size=args.grid_size) if self.setting.scans else {}
        self.device = None  # number of the GPU
        self.process = None

    @property
    def row(self) -> Path:
        return self.folder / "row.json"

    def advance(self) -> bool:
        """Look after the stage that runs or start the next; whether anything is left. RuntimeError where one failed."""
        if self.process is not None:
            if self.process.poll() is None:
                return True
            self.finish()
        self.folder.mkdir(parents=True, exist_ok=True)
        for stage, command in self.stages():
            if not (self.folder / f"{stage}.done").is_file():
                self.start(stage, command)
                return True
        write_text(self.row, json.dumps(self.scores(), indent=1))
        return False

    def start(self, stage: str, command: list) -> None:
        environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
        if self.device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(self.device)
        self.stage, self.begin = stage, time.perf_counter()
        with open(self.folder / f"{stage}.log", "a", encoding="utf-8") as log:
            command = [sys.executable, *map(str, command)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def finish(self) -> None:
        """Mark the stage that has ended."""
        process, self.process = self.process, None
        if process.returncode:
            log = self.folder / f"{self.stage}.log"
            tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"{self.folder.name}: {self.stage} failed, see {log}: {' '.join(tail)}")
        write_text(self.folder / f"{self.stage}.done", str(round(time.perf_counter() - self.begin)))

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def stages(self):
        """Name and command of every stage, in order."""
        weight = self.folder / "pretrain/model/model_last.pth"
        if self.arm.config:
            yield "pretrain", self.pretraining()
        first, *_ = self.setting.probes.values()
        probe = self.folder / "probe"
        start = [f"weight={weight}"] if self.arm.config else []
        options = literals(self.setting.probe | self.scans | dict(seed=self.seed)) + start
        yield "probe", tool("train", self.downstream(first), save_path=probe, options=options)
        for task, name in self.setting.probes.items():
            config = self.semantic(name) if task == "semantic" else self.downstream(name)
            options = literals(self.setting.test_scenes | self.scans)
            options.append(f"weight={probe}/model/model_last.pth")
            yield f"test-{task}", tool("test", config, save_path=probe, options=options)
        if self.arm.config:
            yield "label_free", self.label_free(weight)

    def pretraining(self) -> list:
        scenes = self.setting.num_scenes
        epoch = -(-self.steps * self.setting.pretrain["batch_size"] // scenes)
        saves = min(epoch, 20)
        epoch = -(-epoch // saves) * saves
        last = self.folder / "pretrain/model/model_last.pth"
        settings = self.setting.pretrain | self.scans | self.arm.options
        settings |= dict(seed=self.seed, epoch=epoch, eval_epoch=saves)
        resume = [f"weight={last}", "resume=True"] if last.is_file() else []
        return tool("train", self.config(), save_path=self.folder / "pretrain", options=literals(settings) + resume)

    def config(self) -> Path:
        """The arm's config for this data: scannet in its base gives way to the setting's name."""
        text = (CONFIGS / f"{self.arm.config}.py").read_text(encoding="utf-8")
        path = re.search(r'^_base_ = \["(.*)"\]$', text, re.MULTILINE)[1]
        base = CONFIGS / re.sub("(ptv3-)?scannet", self.setting.config, path)
        text = text.replace(path, str(base.resolve())).replace("{{ fileDirname }}", str(CONFIGS))
        target = self.folder / "pretrain.py"
        target.write_text(text, encoding="utf-8")
        return target

    def downstream(self, name: str) -> Path:
        return ROOT / f"configs/pointins/{name}{self.arm.probe}.py"

    def semantic(self, name: str) -> Path:
        """A panoptic config whose semantics are scored as they are before the groups vote, in one pass."""
        target = self.folder / "semantic.py"
        test = 'test = dict(_delete_=True, type="SemanticTester", fragments=False)'
        target.write_text(f'_base_ = ["{self.downstream(name)}"]\n{test}\n', encoding="utf-8")
        return target

    def label_free(self, weight: Path) -> list:
        flags = list(self.setting.label_free)
        flags += ["--rivals", self.setting.rivals]
        if not self.is_reference:
            flags += ["--methods", "pointins", "kmeans"]
        if self.setting.scans:
            flags += ["--data", self.scans["data_root"], "--grid-size", self.scans["grid_size"]]
        target = self.folder / "label_free.json"
        return [ROOT / "tools/evaluate_label_free.py", "--weight", weight, *flags, "--json", target]

    def progress(self) -> float:
        """Share of the run that is done; pretraining counts for 85 %, the probe for 10 %."""
        if self.row.is_file():
            return 1.0
        share = 0.0 if self.arm.config else 0.85
        for stage, part in dict(pretrain=0.85, probe=0.1).items():
            done = (self.folder / f"{stage}.done").is_file()
            share += part * (1.0 if done else trained_share(self.folder / stage / "train.log"))
        return min(share, 0.99)

    def scores(self) -> dict:
        """The row: what the probe and the label-free evaluation gave, percent, and seconds of the stages."""
        row = dict(arm=self.name, seed=self.seed, steps=self.steps)
        for task in self.setting.probes:
            means = json.loads((self.folder / f"probe/results/{task}.json").read_text())
            row |= {key: 100 * means["metrics"][key] for key in WANTED[task]}
        row["probe_cosine"] = -means["losses"]["bias_cosine_loss"]  # the same weights and scenes in every task
        path = self.folder / "label_free.json"
        if path.is_file():
            row |= label_free_scores(json.loads(path.read_text()))
        for path in sorted(self.folder.glob("*.done")):
            row[f"seconds_{path.stem}"] = int(path.read_text())
        if self.arm.config:
            curves = read_curves(self.folder / "pretrain")
            row["curves"] = {name: thinned(*curves[name]) for name in CURVES if name in curves}
        return row


def label_free_scores(tables: dict) -> dict:
    """Columns of one label-free evaluation, NaN (no object) left out.

    `raw_` raw scenes, `planes_` the same with planes as instances of their own, `off_` planes removed.
    """
    row = {}
    for protocol, table in PROTOCOLS.items():
        for method, scores in tables.get(table, {}).items():  # a run of an earlier version lacks one
            for name in ("map", "ap50", "recall50_touching"):
                if not math.isnan(scores[name]):
                    row[f"{protocol}_{method}_{name}"] = 100 * scores[name]
    offsets = tables["offsets"]
    return row | {f"offset_{name}": offsets[name] for name in ("cosine", "length", "mean_direction")}


def tool(name: str, config: Path, save_path: Path, options: list) -> list:
    """Command line of tools/train.py or tools/test.py."""
    return [ROOT / f"tools/{name}.py", "--config-file", config, "--options", f"save_path={save_path}", *options]


def literals(options: dict) -> list[str]:
    return [f"{name}={value}" for name, value in options.items()]


def trained_share(log: Path) -> float:
    """Share of a training run that its log has seen, 0 where there is none."""
    if not log.is_file():
        return 0.0
    with open(log, "rb") as stream:
        stream.seek(max(0, log.stat().st_size - 4096))
        seen = re.findall(rb"\[(\d+)/(\d+)\]\[(\d+)/(\d+)\]", stream.read())
    if not seen:
        return 0.0
    epoch, epochs, step, steps = map(int, seen[-1])
    return (epoch - 1 + step / steps) / epochs


def perform(args, runs: list[Run]) -> list[str]:
    """All runs, some at a time; tables and pictures follow every finished one. Returns what failed."""
    waiting = [run for run in runs if not run.row.is_file()]
    slots = list(range(torch.cuda.device_count())) * (args.jobs or 1) or [None] * (args.jobs or os.cpu_count())
    active, failed = [], []

    def percent():
        return 100 * sum(run.progress() for run in runs) / len(runs)

    # a line a minute where nobody watches
    style = dict(mininterval=5 if sys.stderr.isatty() else 60, maxinterval=60, smoothing=0)
    form = "{percentage:5.1f}% |{bar:20}| {elapsed} passed, {remaining} left{postfix}"
    try:
        with tqdm(total=100, initial=percent(), bar_format=form, **style) as bar:
            while waiting or active:
                while waiting and slots:
                    active.append(waiting.pop(0))
                    active[-1].device = slots.pop(0)
                for run in list(active):
                    try:
                        busy = run.advance()
                    except RuntimeError as error:
                        busy = False
                        failed.append(str(error))
                        bar.write(f"error: {error}")
                    if not busy:
                        active.remove(run)
                        slots.append(run.device)
                        report(args, runs)
                done = sum(run.row.is_file() for run in runs)
                names = ", ".join(run.folder.name for run in active)
                bar.set_postfix_str(f"{done} of {len(runs)} runs done; {names}", refresh=False)
                bar.update(percent() - bar.n)
                time.sleep(0.5)
    finally:
        for run in active:
            run.stop()
    return failed


def report(args, runs: list[Run]) -> None:
    """Tables and pictures of the runs that are done."""
    done = [run for run in runs if run.row.is_file()]
    if not done:
        return
    rows = [json.loads(run.row.read_text()) for run in done]
    write_report(args.output / args.suite, rows, SUITES[args.suite])
    everything = [json.loads(path.read_text()) for path in sorted(args.output.glob("runs/*/row.json"))]
    lines = ",\n".join(map(json.dumps, everything))  # a line a row, for git
    write_text(args.output / "rows.json", f"[\n{lines}\n]\n")


def take(args) -> None:
    """Put the rows of --rows where those of own runs lie, unless there are own ones."""
    for row in json.loads(Path(args.rows).read_text(encoding="utf-8")):
        target = Run(args, row["arm"], row["seed"], row["steps"]).row
        if not target.is_file():
            write_text(target, json.dumps(row, indent=1))


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the same command goes on"))
    if args.rows:
        take(args)
    names = [name for name in SUITES[args.suite] if name in (args.arms or SUITES[args.suite])]
    # a dict: what has no pretraining is one run for all steps
    runs = {}
    for seed, steps, name in itertools.product(range(args.seeds), sorted(args.steps, reverse=True), names):
        run = Run(args, name, seed, steps)
        runs.setdefault(run.folder, run)
    runs = list(runs.values())
    failed = [] if args.report else perform(args, runs)
    report(args, runs)
    if args.report and not any(run.row.is_file() for run in runs):
        raise FileNotFoundError(f"no run of suite {args.suite} is done below {args.output}/runs; leave --report out")
    table = args.output / args.suite / "table.md"
    if table.is_file():
        print(table.read_text(encoding="utf-8"))
    if failed:
        sys.exit(f"error: {len(failed)} of {len(runs)} runs failed; the same command tries them again")


if __name__ == "__main__":
    exit_on_user_error(main)

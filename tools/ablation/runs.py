"""The runs of a suite: each a row of stages that are skipped once they are done, some runs at a time."""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from ablation.report import CURVES, thinned, write_report
from ablation.suites import ARMS, CONFIGS, RADII, REFERENCE, ROOT, SETTINGS, SUITES
from pointins_ext.files import write_text
from pointins_ext.visualization.curve import read_curves

# prefix of a column -> table of evaluate_label_free.py
PROTOCOLS = dict(raw="unsupervised", planes="unsupervised_with_planes", off="unsupervised_planes_off")
WANTED = {"instance": ("map", "ap50", "ap25"), "semantic": ("miou",), "panoptic": ("pq",)}


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
        self.device = None  # name of the GPU
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
            environment["CUDA_VISIBLE_DEVICES"] = self.device
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
        weights = [f"weight={probe}/model/model_last.pth"]
        for task, name in self.setting.probes.items():
            config, scenes = self.downstream(name), self.setting.test_scenes | self.scans
            if task == "semantic":
                config = self.semantic(name)
            elif task == "instance":
                yield from self.groupings(config, weights)
                scenes = scenes | {"model.cluster_thresh": self.radius()}
            yield f"test-{task}", tool("test", config, save_path=probe, options=literals(scenes) + weights)
        if self.arm.config:
            yield "label_free", self.label_free(weight)

    def groupings(self, config: Path, weights: list):
        """Stages that score the probe on training scenes, with one radius each."""
        for radius in RADII:
            options = self.setting.training_scenes | self.scans | {"model.cluster_thresh": radius}
            yield (
                f"radius-{radius:g}",
                tool("test", config, save_path=self.folder / f"radius-{radius:g}", options=literals(options) + weights),
            )

    def radius(self) -> float:
        """The radius of the grouping, voxels, with the best mAP on training scenes, of those that are scored yet."""
        scores = {}
        for radius in RADII:
            path = self.folder / f"radius-{radius:g}/results/instance.json"
            if path.is_file():
                scores[radius] = json.loads(path.read_text())["metrics"]["map"]
        return max(scores, key=scores.get, default=RADII[0])

    def pretraining(self) -> list:
        scenes = self.setting.num_scenes
        epoch = -(-self.steps * self.setting.pretrain["batch_size"] // scenes)
        saves = min(epoch, 20)
        epoch = -(-epoch // saves) * saves
        last = self.folder / "pretrain/model/model_last.pth"
        settings = self.setting.pretrain | self.scans | self.arm.options
        settings |= dict(seed=self.seed, epoch=epoch, eval_epoch=saves)
        if self.setting.scene_seed:
            settings[self.setting.scene_seed] = self.seed
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
        if self.arm.backbone is None:
            return target
        width = sum(self.arm.backbone["enc_channels"][1:])  # of the stages from the loss down
        return self.child(target, model=dict(pretrainer=dict(backbone=self.arm.backbone, head_in_channels=width)))

    def downstream(self, name: str) -> Path:
        shipped = ROOT / f"configs/pointins/{name}{self.arm.probe}.py"
        if self.arm.backbone is None:
            return shipped
        width = sum(self.arm.backbone["enc_channels"])
        return self.child(shipped, model=dict(backbone=self.arm.backbone, backbone_out_channels=width))

    def child(self, parent: Path, **changes: dict) -> Path:
        """A config in the folder of the run: `parent` with changes, named by what they change."""
        target = self.folder / f"{parent.stem}-{'-'.join(changes)}.py"
        lines = (f"{key} = {value!r}\n" for key, value in changes.items())
        target.write_text(f'_base_ = ["{parent}"]\n' + "".join(lines), encoding="utf-8")
        return target

    def semantic(self, name: str) -> Path:
        """A panoptic config whose semantics are scored as they are before the groups vote, in one pass."""
        return self.child(self.downstream(name), test=dict(_delete_=True, type="SemanticTester", fragments=False))

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
        if "instance" in self.setting.probes:
            row["radius"] = self.radius()
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


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    number = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(number)))
    return names.split(",")[:number] if number else []


def perform(args, runs: list[Run]) -> list[str]:
    """All runs, some at a time; tables and pictures follow every finished one. Returns what failed."""
    waiting = [run for run in runs if not run.row.is_file()]
    slots = visible_gpus() * (args.jobs or 1) or [None] * (args.jobs or os.cpu_count())
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
                bar.update(max(0.0, percent() - bar.n))  # a resumed run repeats what it had not saved
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

"""Pretrain PointINS-on-DOS on synthetic rooms and segment unseen rooms, no label used.

    pointins quickstart [--seed 0] [--output exp/quickstart]

Writes metrics.json, instances.png, report.html and viewer.html, and the checkpoint that `pointins segment` takes.
"""

import importlib.util
import json
import os
import resource
import shlex
import time
from pathlib import Path

import numpy as np
import torch

from pointins_ext import CONFIGS, host
from pointins_ext.cli.doctor import EXTRAS
from pointins_ext.cli.evaluate import evaluate, render_parameters, render_table, rival_parameters
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.datasets.values import GRAY
from pointins_ext.files import write_text
from pointins_ext.flags import at_least, output_folder, verb_parser
from pointins_ext.inference import load_predictor
from pointins_ext.run import train
from pointins_ext.visualization import instances_figure, write_report, write_viewer
from pointins_ext.visualization.curve import read_curves

CONFIG = CONFIGS / "pointins/pretrain-dos-rooms.py"
CURVES = ("loss", "offset_loss", "prototype_perplexity")


def arguments(argv):
    parser = verb_parser("quickstart", __doc__)
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of the training and of all rooms")
    parser.add_argument("--output", type=output_folder, default="exp/quickstart", help="folder for everything")
    parser.add_argument("--num-rooms", type=at_least(1), default=60, help="training rooms")
    parser.add_argument("--num-val", type=at_least(1), default=16, help="unseen rooms to segment")
    parser.add_argument("--epochs", type=at_least(1), help="passes over the rooms (default: the config's)")
    args = parser.parse_args(argv)
    args.command = shlex.join(["pointins", "quickstart", *argv])
    return args


def require_extras() -> None:
    """ImportError, before minutes of training, for what pictures and baselines will need."""
    for name in ("viz", "cluster"):
        module, purpose = EXTRAS[name]
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"{module} is missing ({purpose}): pip install 'pointins_ext[viz,cluster]'")


def pretrain(args) -> dict:
    """Train in this process; returns the config."""
    options = dict(save_path=args.output, seed=args.seed, room_seed=args.seed, num_rooms=args.num_rooms)
    if args.epochs:
        options |= dict(epoch=args.epochs, eval_epoch=args.epochs)
    cfg = host.default_config_parser(os.fspath(CONFIG), options)
    train(cfg)
    return cfg


def results(scenes: list[dict]) -> list[dict]:
    """What the figure and the viewer show of evaluated scenes: input, predicted instances, truth, offsets."""
    shown = []
    for scene in scenes:
        prediction, found = scene["prediction"], scene["found"]
        entries = {key: scene[key] for key in ("coord", "instance", "name")}
        entries["color"] = scene.get("color", np.full_like(scene["coord"], GRAY))  # a sweep has none
        entries |= dict(predicted=found.label[prediction.nearest], offset=prediction.raw_offset().numpy())
        shown.append(entries | dict(score=found.score, stuff=found.stuff))
    return shown


def scores(table: dict) -> dict:
    """Method -> fractions, without the counts, which are the same for all."""
    return {name: {key: v for key, v in row.items() if not key.startswith("num_")} for name, row in table.items()}


def shipped_scores(scenes: list[dict]) -> dict:
    """Fractions that the shipped weights `indoor` reach on the raw scenes, which stay as they are."""
    plain = [{key: scene[key] for key in ("coord", "color", "normal", "instance")} for scene in scenes]
    tables, _ = evaluate(load_predictor("indoor"), plain, {}, ("pointins",))
    return scores(tables["unsupervised"])["pointins"]


def peak_memory_gib() -> float:
    """Memory of the GPU at its largest; without one that of this process, workers apart."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(argv):
    args = arguments(argv)
    require_extras()
    start = time.perf_counter()
    print(f"host: {host.NAME} ({host.REASON})")
    if os.path.isdir(args.output):
        for old in Path(args.output).glob("events.out.tfevents.*"):
            old.unlink()
    pretrain(args)
    curves = read_curves(args.output)
    weight = os.path.join(args.output, "model", "model_last.pth")

    predictor = load_predictor(weight)
    dataset = SyntheticRoomsDataset(split="val", num_scenes=args.num_val, seed=args.seed, transform=[])
    scenes = [dataset.get_data(i) for i in range(args.num_val)]
    rivals = rival_parameters("rooms")
    tables, accuracy = evaluate(predictor, scenes, rivals)
    raw, shipped = tables["unsupervised"], shipped_scores(scenes)
    loss, offset_loss = curves["train_batch/loss"][1], curves["train_batch/offset_loss"][1]
    metrics = dict(
        host=host.NAME,
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        seed=args.seed,
        steps=len(loss),
        loss_first=loss[0],
        loss_last=loss[-1],
        offset_loss_last=offset_loss[-1],
        **{protocol: scores(table) for protocol, table in tables.items()},
        objects={name: raw["pointins"][f"num_{name}"] for name in ("objects", "touching")},
        offsets=accuracy,
        shipped=shipped,
        peak_memory_gib=peak_memory_gib(),
        wall_seconds=time.perf_counter() - start,
    )
    if "params/points_per_second" in curves:  # Pointcept does not write it
        metrics["points_per_second"] = round(float(np.median(curves["params/points_per_second"][1])))
    viewer = write_results(args, scenes, metrics, curves)
    print(f"\n{args.num_val} unseen rooms, {raw['pointins']['num_objects']} objects, no label used; percent\n")
    print(render_table(tables))
    theirs, own = (f"AP50 {100 * row['ap50']:.1f}, mAP {100 * row['map']:.1f}" for row in (shipped, raw["pointins"]))
    print(f"\nthe weights that the package ships, on the same rooms: {theirs}; yours: {own}")
    print(f"\nparameters of the rivals, lengths in voxels:\n{render_parameters(rivals)}")
    print(
        f"\n{metrics['wall_seconds'] / 60:.1f} minutes, {metrics['peak_memory_gib']:.1f} GiB. Open\n"
        f"  {args.output}/report.html     everything in one page\n"
        f"  {args.output}/instances.png   the picture\n"
        + (f"  {viewer}     the rooms in 3D\n" if viewer else "")
        + "Try next\n"
        f"  pointins segment --weight {weight} --input YOUR_SCAN.ply --output out.ply\n"
        "  pointins train -c pointins/pretrain-dos-scans -n mine -- data_root=FOLDER grid_size=0.04\n"
        f"  tensorboard --logdir {args.output}"
    )


def write_results(args, scenes, metrics: dict, curves: dict) -> str | None:
    """Everything that is looked at; returns the path of the 3D page, None without plotly."""
    path = os.path.join(args.output, "metrics.json")
    write_text(path, json.dumps(metrics, indent=1))
    shown_scenes = results(scenes[:4])
    image = instances_figure(shown_scenes, os.path.join(args.output, "instances.png"))
    viewer = None
    if importlib.util.find_spec("plotly"):
        path = os.path.join(args.output, "viewer.html")
        viewer = write_viewer(path, shown_scenes, title="PointINS quickstart: unseen rooms")
    shown = {name: curves[f"train_batch/{name}"] for name in CURVES}
    shown |= {name: curve for name, curve in curves.items() if name.startswith(("offset/", "canary/"))}
    write_report(
        os.path.join(args.output, "report.html"),
        metrics,
        [("Unseen rooms: scan, predicted instances, truth, offsets", image)],
        shown,
        [args.command],
        title="PointINS quickstart",
        links=[("The same rooms in 3D", "viewer.html")] if viewer else (),
    )
    return viewer

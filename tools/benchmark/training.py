"""Cases of training: what the branch adds to a step, and whether the data keep up."""

import tempfile
from pathlib import Path

from benchmark.pairs import Pair
from benchmark.step_server import load, step
from pointins_ext.host import Config, build_dataset, point_collate_fn

CONFIG = str(Path(__file__).parents[2] / "configs/pointins/pretrain-dos-rooms.py")


def branch_overhead(device, quick, **scr):
    with tempfile.TemporaryDirectory() as folder:
        batch, variants = load(CONFIG, 1 if quick else 2, folder, device, **scr)
    return Pair(
        lambda: step(*variants["branch"], batch),
        lambda: step(*variants["plain"], batch),
        points=int(batch["global_offset"][-1]),
    )


def branch_overhead_kmeans(device, quick):
    return branch_overhead(device, quick, cut="kmeans", num_clusters=5)


def data(device, quick):
    number = 2 if quick else 4
    dataset = build_dataset(dict(Config.fromfile(CONFIG).data.train, num_scenes=number))
    with tempfile.TemporaryDirectory() as folder:
        batch, variants = load(CONFIG, number, folder, device)
    workers = 2
    return Pair(
        lambda: point_collate_fn([dataset[i] for i in range(number)]),
        lambda: step(*variants["branch"], batch),
        points=int(batch["global_offset"][-1]),
        scale=1 / workers,
        note=f"A of one worker, the ratio for {workers}",
    )

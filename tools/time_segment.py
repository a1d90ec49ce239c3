"""Seconds and memory of `pointins segment` and of a pretraining step on scans of many rooms, beside clusterings.

    python tools/time_segment.py --points 100000 1000000 5000000 10000000

A scan is synthetic rooms side by side, as a .ply with colors and normals. Each figure is a process of its own, one
after the other, all of one thread: `segment` from reading the file to writing its results, without a picture; `train`
of pretrain-dos-scans for one step, from start to checkpoint; HDBSCAN of scikit-learn and DBSCAN of Open3D on the
coordinates of the scan's voxels, without reading, which they need not do. The last line has the power of the number of
points that time and memory grow with, from a million points on.
"""

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pointins_ext import CONFIGS
from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.errors import exit_on_user_error
from pointins_ext.flags import at_least
from pointins_ext.ops import voxelize

PRETRAINING = CONFIGS / "pointins/pretrain-dos-scans.py"
ONE_STEP = ["epoch=1", "eval_epoch=1", "batch_size=1", "num_worker=0", "model.offset_warmup_steps=0"]
VOXEL = 0.04
MANY = 1_000_000  # points from which on the start of a process hardly counts
ROOMS = 8  # different ones, repeated
GAP = 1.0  # meters between them
LOAD = "import sys, numpy as np; coord = np.load(sys.argv[1]).astype(float)\n"
CLUSTERINGS = {  # what is imported -> the head of its column, and the code
    "sklearn": ("HDBSCAN", "from sklearn.cluster import HDBSCAN; HDBSCAN(60, min_samples=5, copy=True).fit(coord)"),
    "open3d": (
        "DBSCAN (Open3D)",
        "import open3d as o3d; o3d.geometry.PointCloud(o3d.utility.Vector3dVector(coord)).cluster_dbscan(0.05, 4)",
    ),
}


def tiled_rooms(number: int) -> dict:
    """coord, color and normal of `number` points, and what is left of the last room: rooms on a square grid."""
    dataset = SyntheticRoomsDataset(split="test", num_scenes=ROOMS, seed=0, transform=[])
    rooms = [dataset.get_data(i) for i in range(ROOMS)]
    step = max(np.ptp(room["coord"][:, :2], axis=0).max() for room in rooms) + GAP
    parts, total = [], 0
    while total < number:
        room = rooms[len(parts) % ROOMS]
        place = np.array([len(parts) % 12, len(parts) // 12, 0]) * step
        parts.append(dict(coord=room["coord"] + place, color=room["color"], normal=room["normal"]))
        total += len(room["coord"])
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def commands(folder: str, weight: str) -> dict[str, list[str]]:
    """What is measured on the scan in `folder`, by the head of its column."""
    call = [sys.executable, "-m", "pointins_ext"]
    files = ["--input", f"{folder}/scan/scan.ply", "--output", f"{folder}/out.ply", "--grid-size", str(VOXEL)]
    clusterings = [column for module, column in CLUSTERINGS.items() if importlib.util.find_spec(module)]
    step = [f"save_path={folder}/exp", f"data_root={folder}/scan", f"grid_size={VOXEL}", *ONE_STEP]
    return {
        "`pointins segment`": [*call, "segment", "--weight", weight, "--no-picture", *files],
        "one step of `pointins train`": [*call, "train", "--config-file", str(PRETRAINING), "--options", *step],
        **{head: [sys.executable, "-c", LOAD + code, f"{folder}/voxels.npy"] for head, code in clusterings},
    }


def measured(command: list[str], limit: float) -> tuple[float, float]:
    """Wall seconds and GiB at most of a process; infinite if it takes longer than `limit` seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        if time.perf_counter() - start > limit:
            process.kill()
            return math.inf, math.inf
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}: {process.stderr.read()[-500:]}")
    return time.perf_counter() - start, peak / 2**30


def power(points: list[int], taken: list[float]) -> str:
    """Exponent of the growth of what is `taken` by so many `points`, from MANY on."""
    pairs = [(n, value) for n, value in zip(points, taken, strict=True) if n >= MANY and value < math.inf]
    if len(pairs) < 2:
        return "-"
    return f"{np.polyfit(*np.log(np.transpose(pairs)), 1)[0]:.2f}"


def resident(pid: int) -> int:
    """Memory of a process now, bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def write_scan(folder: str, number: int) -> tuple[int, int]:
    """Writes a scan of about `number` points, and its voxels; how many there are of both."""
    scan = tiled_rooms(number)
    normal = dict(zip(("nx", "ny", "nz"), scan["normal"].T, strict=True))
    os.makedirs(f"{folder}/scan")
    write_ply(f"{folder}/scan/scan.ply", scan["coord"], scan["color"], **normal)
    voxels = scan["coord"][voxelize(scan["coord"], VOXEL)]
    np.save(f"{folder}/voxels.npy", voxels)
    return len(scan["coord"]), len(voxels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weight", default="indoor", help="indoor, or a pretraining checkpoint of rooms")
    parser.add_argument("--points", type=at_least(1000), nargs="+", default=[100_000, 1_000_000, 5_000_000, 10_000_000])
    parser.add_argument("--limit", type=at_least(1), default=900, help="seconds after which a process is stopped (900)")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    heads = list(commands("", ""))
    missing = [module for module in CLUSTERINGS if importlib.util.find_spec(module) is None]
    if missing:
        print(f"left out, not installed: {', '.join(missing)}", file=sys.stderr)
    print(f"| points | voxels | {' | '.join(heads)} |\n{'| --- ' * (2 + len(heads))}|")
    sizes = []
    taken = {head: [] for head in heads}
    for number in args.points:
        with tempfile.TemporaryDirectory() as folder:
            points, voxels = write_scan(folder, number)
            sizes.append(points)
            for head, command in commands(folder, args.weight).items():
                beyond = taken[head] and taken[head][-1][0] == math.inf  # a larger scan takes no less
                taken[head].append((math.inf, math.inf) if beyond else measured(command, args.limit))
        cells = [cell(*values[-1], args.limit) for values in taken.values()]
        print(f"| {points:,} | {voxels:,} | {' | '.join(cells)} |", flush=True)
    powers = [[power(sizes, list(column)) for column in zip(*values, strict=True)] for values in taken.values()]
    print(f"| power |  | {' | '.join(', '.join(pair) for pair in powers)} |")


def cell(seconds: float, memory: float, limit: float) -> str:
    return f"{seconds:.1f} s, {memory:.2f} GiB" if seconds < math.inf else f"more than {limit:.0f} s"


if __name__ == "__main__":
    exit_on_user_error(main)

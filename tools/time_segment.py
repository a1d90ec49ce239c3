"""Seconds and memory of `pointins segment` on scans of many rooms, beside clusterings of their voxels.

    python tools/time_segment.py --weight exp/quickstart/model/model_last.pth --points 100000 1000000 10000000

A scan is synthetic rooms side by side, as a .ply with colors and normals. Each figure is a process of its own, one
after the other, all of one thread: `segment` from reading the file to writing its results, without a picture; HDBSCAN
of scikit-learn and DBSCAN of Open3D on the coordinates of the scan's voxels, without reading, which they need not do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.errors import exit_on_user_error
from pointins_ext.flags import at_least
from pointins_ext.ops import voxelize

VOXEL = 0.04
ROOMS = 8  # different ones, repeated
GAP = 1.0  # meters between them
LOAD = "import sys, numpy as np; coord = np.load(sys.argv[1]).astype(float)\n"
CLUSTERINGS = {
    "HDBSCAN": LOAD + "from sklearn.cluster import HDBSCAN; HDBSCAN(60, min_samples=5, copy=True).fit(coord)",
    "DBSCAN (Open3D)": LOAD + "import open3d as o3d\n"
    "o3d.geometry.PointCloud(o3d.utility.Vector3dVector(coord)).cluster_dbscan(0.05, 4)",
}


def tiled_rooms(number: int) -> dict:
    """coord, color and normal of about `number` points: rooms on a square grid."""
    dataset = SyntheticRoomsDataset(split="test", num_scenes=ROOMS, seed=0, transform=[])
    rooms = [dataset.get_data(i) for i in range(ROOMS)]
    step = max(np.ptp(room["coord"][:, :2], axis=0).max() for room in rooms) + GAP
    parts, total = [], 0
    while total < number:
        room = rooms[len(parts) % ROOMS]
        place = np.array([len(parts) % 12, len(parts) // 12, 0]) * step
        parts.append(dict(coord=room["coord"] + place, color=room["color"], normal=room["normal"]))
        total += len(room["coord"])
    return {key: np.concatenate([part[key] for part in parts])[:number] for key in parts[0]}


def measured(command: list[str], limit: float) -> str:
    """Wall seconds and GiB at most of a process, or that it took longer than `limit` seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        if time.perf_counter() - start > limit:
            process.kill()
            return f"> {limit:.0f} s"
        time.sleep(0.05)
    if process.returncode:
        return f"failed: {process.stderr.read().strip().splitlines()[-1][:80]}"
    return f"{time.perf_counter() - start:.1f} s, {peak / 2**30:.2f} GiB"


def resident(pid: int) -> int:
    """Memory of a process now, bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint of rooms")
    parser.add_argument("--points", type=at_least(1000), nargs="+", default=[100_000, 1_000_000, 5_000_000, 10_000_000])
    parser.add_argument("--limit", type=at_least(1), default=900, help="seconds after which a process is stopped (900)")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"| points | voxels | pointins segment | {' | '.join(CLUSTERINGS)} |\n{'| --- ' * (3 + len(CLUSTERINGS))}|")
    for number in args.points:
        with tempfile.TemporaryDirectory() as folder:
            scan = tiled_rooms(number)
            normal = dict(zip(("nx", "ny", "nz"), scan["normal"].T, strict=True))
            write_ply(f"{folder}/scan.ply", scan["coord"], scan["color"], **normal)
            voxels = scan["coord"][voxelize(scan["coord"], VOXEL)]
            np.save(f"{folder}/voxels.npy", voxels)
            del scan
            files = ["--input", f"{folder}/scan.ply", "--output", f"{folder}/out.ply", "--grid-size", str(VOXEL)]
            segment = [sys.executable, "-m", "pointins_ext", "segment", "--weight", args.weight, "--no-picture", *files]
            others = [[sys.executable, "-c", code, f"{folder}/voxels.npy"] for code in CLUSTERINGS.values()]
            cells = [measured(command, args.limit) for command in (segment, *others)]
        print(f"| {number:,} | {len(voxels):,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    exit_on_user_error(main)

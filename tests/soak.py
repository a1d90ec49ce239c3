"""Does pretraining keep its memory? Trains the small rooms config for a while and fits a line to what it holds.

    python tests/soak.py --minutes 120 [--json FILE]
    python tests/soak.py --minutes 120 --scans FOLDER  # at the size of your scans, a scan a step, voxels of 4 cm

Resident memory of the process that trains (Linux); data workers live for one pass over the rooms and leave none. It
settles within some ten minutes; what grows after that are holes that the C library keeps between blocks of changing
size. Exit code 1: over the second half it grows by more than --limit MiB an hour, and the standard error of the slope,
taken twice, does not explain it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointins_ext.errors import exit_on_user_error
from pointins_ext.files import write_text
from pointins_ext.flags import output_file, positive

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs/pointins"
# the C library gives freed blocks of 64 KiB back at once: else some GiB of free memory stay resident, and hide a leak
MALLOC = dict(MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536")
# longer than any soak; saved after every pass over the rooms; the branch on from the second pass
LENGTH = ["epoch=100000", "eval_epoch=100000"]
ROOMS = ["model.offset_warmup_steps=30"]
SCANS = ["model.offset_warmup_steps=1", "batch_size=1", "grid_size=0.04", "num_worker=1"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=positive, default=120, help="length (default 120)")
    parser.add_argument("--every", type=positive, default=5, help="seconds between two samples (default 5)")
    parser.add_argument("--limit", type=positive, default=20, help="growth to accept, MiB an hour (default 20)")
    parser.add_argument("--scans", type=Path, help="folder of scans to train on (default: procedural rooms)")
    parser.add_argument("--json", type=output_file, help="write samples and slope here")
    return parser.parse_args()


def memory(process: int) -> float:
    """MiB of a process that are resident."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def sample(run, log: Path, minutes: float, every: float) -> list[tuple[float, float]]:
    """(seconds, MiB) of a process at every so many seconds of training. ValueError where it ends before its time."""
    samples: list[tuple[float, float]] = []
    with tqdm(total=round(60 * minutes), unit="s", desc="soaking") as bar:
        while not log.is_file() and run.poll() is None:  # the rooms are being made
            time.sleep(0.1)
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < 60 * minutes:
            if run.poll() is not None:
                raise ValueError(f"the training ended after {now:.0f} s with exit code {run.returncode}; see above")
            samples.append((now, memory(run.pid)))
            bar.set_postfix_str(f"{samples[-1][1]:.0f} MiB", refresh=False)
            bar.update(round(now) - bar.n)
            time.sleep(every)
    return samples


def slope(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """MiB an hour over the second half, and its standard error."""
    seconds, size = np.array(samples[len(samples) // 2 :]).T
    if len(seconds) < 3:
        raise ValueError(f"{len(samples)} samples are too few for a slope; take more --minutes or a smaller --every")
    (gradient, _), covariance = np.polyfit(seconds / 3600, size, 1, cov=True)
    return float(gradient), float(np.sqrt(covariance[0, 0]))


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "train.log"
        name, options = "pretrain-dos-rooms", ROOMS
        if args.scans:
            name, options = "pretrain-dos-scans", [*SCANS, f"data_root={args.scans.resolve()}"]
        command = [sys.executable, ROOT / "tools/train.py", "--config-file", CONFIGS / f"{name}.py", "--options"]
        command += [f"save_path={folder}", *LENGTH, *options]
        environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT), POINTINS_HOST="embedded", **MALLOC)
        run = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            samples = sample(run, log, args.minutes, args.every)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGTERM)  # with its data workers
                run.wait()
        epochs = log.read_text().count("Train result")
    growth, error = slope(samples)
    if args.json:
        write_text(args.json, json.dumps(dict(samples=samples, slope=growth, error=error, limit=args.limit)))
    print(
        f"{samples[0][1]:.0f} MiB at the start, {samples[-1][1]:.0f} MiB at the end of {epochs} passes over the scenes"
    )
    print(f"second half: {growth:+.1f} +- {error:.1f} MiB an hour, accepted are {args.limit:g}")
    sys.exit(int(growth - 2 * error > args.limit))


if __name__ == "__main__":
    exit_on_user_error(main)

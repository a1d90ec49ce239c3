"""Seconds of a pretraining step in one process and in two, joined by gloo, on the cores of one machine.

    python tools/time_processes.py --turns 3

Every process has the same share of rooms, 2 a step, and one thread: two of them do twice the work. Two that do not know
each other, side by side, say what sharing the machine costs; two that are joined add the exchange of gradients. The
runs take turns; the first pass over the rooms does not count. Prints medians and quartiles.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from pointins_ext import CONFIGS
from pointins_ext.errors import exit_on_user_error
from pointins_ext.flags import at_least

CONFIG = CONFIGS / "pointins/pretrain-dos-rooms.py"
SCENES, STEPS, EPOCHS = 2, 8, 3
RUNS = {  # what is measured -> processes that are joined, trainings at the same time
    "one process": (1, 1),
    "two, each for itself": (1, 2),
    "two, joined by gloo": (2, 1),
}


def command(folder: Path, joined: int) -> list[str]:
    options = [f"save_path={folder}", f"num_rooms={SCENES * STEPS * joined}", f"batch_size={SCENES * joined}"]
    options += [f"epoch={EPOCHS}", f"eval_epoch={EPOCHS}", "num_worker=0", "seed=0", "model.offset_warmup_steps=0"]
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={joined}"] if joined > 1 else []
    training = ["-m", "pointins_ext", "train", "--config-file", str(CONFIG), "--options", *options]
    return [sys.executable, *launch, *training, "hooks.InformationWriter.interval=1"]


def step_seconds(log: Path) -> list[float]:
    """Of all passes over the rooms but the first."""
    steps = re.findall(r"Train: \[(\d+)/\d+\]\[\d+/\d+\] .*?Batch ([\d.]+)", log.read_text())
    return [float(seconds) for epoch, seconds in steps if int(epoch) > 1]


def trained(joined: int, trainings: int) -> list[float]:
    """Seconds of the steps of all `trainings`. Raises RuntimeError with the output of one that fails."""
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as top:
        folders = [Path(top) / str(i) for i in range(trainings)]
        processes = [
            subprocess.Popen(
                command(folder, joined), env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            for folder in folders
        ]
        for process, output in [(process, process.communicate()[0]) for process in processes]:
            if process.returncode:
                raise RuntimeError(output)
        return [seconds for folder in folders for seconds in step_seconds(folder / "train.log")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--turns", type=at_least(1), default=3, help=f"of {(EPOCHS - 1) * STEPS} steps each (default %(default)s)"
    )
    args = parser.parse_args()
    seconds = {name: [] for name in RUNS}
    for name in tqdm(list(RUNS) * args.turns, unit="run", desc="training"):
        seconds[name] += trained(*RUNS[name])
    alone = statistics.median(seconds["one process"])
    print("| a step of 2 rooms a process | seconds (quartiles) | work done, one process = 1 |\n| --- | --- | --- |")
    for name, values in seconds.items():
        low, median, high = statistics.quantiles(values, n=4)
        done = 1 if name == "one process" else 2
        print(f"| {name} | {median:.3f} ({low:.3f} - {high:.3f}) | {done * alone / median:.2f} |")


if __name__ == "__main__":
    exit_on_user_error(main)

"""Seconds of a training step on Pointcept (with stand-ins where parts are missing) and on the embedded host.

    POINTCEPT_ROOT=... python tools/compare_hosts.py [--config configs/pointins/pretrain-dos-rooms.py] [--steps 30]

Both hosts train the same model from the same weights on the same batch, each in a process of its own; one step of each
in turn, with and without the offset branch, so that a busy machine slows all alike. Prints medians, quartiles, ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pointins_ext.errors import exit_on_user_error
from pointins_ext.flags import at_least
from pointins_ext.host import locate

ROOT = Path(__file__).parents[1]
HOSTS = ("pointcept", "embedded")
VARIANTS = ("plain", "branch")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(ROOT / "configs" / "pointins" / "pretrain-dos-rooms.py"))
    parser.add_argument(
        "--steps", type=at_least(2), default=30, help="steps of each kind (default %(default)s, after 3 to warm up)"
    )
    parser.add_argument("--scenes", type=at_least(1), default=2, help="rooms in the batch (default %(default)s)")
    args = parser.parse_args()
    if not Path(args.config).is_file():
        raise FileNotFoundError(f"--config {args.config} not found; give a pretraining config")
    root = locate.pointcept_root()
    if root is None or not (root / "pointcept").is_dir():
        raise ImportError(f"Pointcept is missing ({root or 'POINTCEPT_ROOT is not set'}): export POINTCEPT_ROOT=FOLDER")
    return args


def main():
    compare(arguments())


def compare(args):
    with tempfile.TemporaryDirectory() as folder:
        servers = {host: start(host, args, folder) for host in HOSTS}
        times = {(host, variant): [] for host in HOSTS for variant in VARIANTS}
        # the first host makes the batch and the weights, the other reads them
        points = [ask(server, "load")["points"] for server in servers.values()][0]
        for step in range(args.steps + 3):
            for host, variant in times:
                seconds = ask(servers[host], variant)["seconds"]
                times[host, variant] += [seconds] if step >= 3 else []
            print(f"\rstep {step + 1}/{args.steps + 3}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        for server in servers.values():
            server.stdin.close()
            server.wait()
    report(args, points, times)


def report(args, points, times):
    print(f"{Path(args.config).stem}: {points} points in the views of a batch, {args.steps} steps, 1 thread")
    middle = {}
    for (host, variant), values in times.items():
        low, middle[host, variant], high = statistics.quantiles(values, n=4)
        print(f"{host:10} {variant:7} {middle[host, variant]:.3f} s (quartiles {low:.3f} - {high:.3f})")
    for host in HOSTS:
        share = statistics.median(b / a - 1 for a, b in zip(times[host, "plain"], times[host, "branch"], strict=True))
        print(f"{host:10} the offset branch adds {100 * share:.0f} %")
    pairs = zip(times["pointcept", "branch"], times["embedded", "branch"], strict=True)
    print(f"pointcept / embedded: {statistics.median(a / b for a, b in pairs):.2f}")


def start(host, args, folder):
    environment = dict(os.environ, POINTINS_HOST=host, OMP_NUM_THREADS="1")
    command = [sys.executable, ROOT / "tools/benchmark/step_server.py", args.config, str(args.scenes), folder]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(server, word):
    server.stdin.write(word + "\n")
    server.stdin.flush()
    for line in server.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"a host ended with exit code {server.wait()}; its error stands above")


if __name__ == "__main__":
    exit_on_user_error(main)

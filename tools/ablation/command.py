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
import os
import signal
import sys
from pathlib import Path

from ablation.runs import Run, perform, report, take
from ablation.suites import SETTINGS, SUITES
from pointins_ext.errors import UserError
from pointins_ext.flags import at_least, output_folder, positive


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


def main():
    args = arguments()
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the same command goes on"))
    try:
        run_suite(args)
    finally:
        signal.signal(signal.SIGTERM, before)


def run_suite(args) -> None:
    """Perform what is not done yet, and report all; ends the process where a run has failed."""
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

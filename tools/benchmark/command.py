"""Speed of the parts against what does the same elsewhere: ratios measured side by side in one process.

    python tools/benchmark.py [--device cpu|cuda] [--only scr odr] [--json FILE]
    python tools/benchmark.py --quick      # small inputs, two minutes; fails where a ratio stays 1.5 times the record

A and B run in turn, so that a busy machine slows both; the ratio is the median of A / B over the turns. Each case has a
process of its own, so that none meets the stand-ins of another. The table says what ratio was promised, the lines below
it what A and B are, and how much A works: operations in products of matrices, and bytes that PyTorch's operators read
and write, beside those of a large product and of a large copy. Memory is what a call adds at its peak. The figures on
record are in tools/benchmarks.json; what --quick finds slow is measured again, over four times as many turns.
"""

import argparse
import sys

import torch
from tqdm import tqdm

from benchmark.cases import CASES
from benchmark.measure import apart, machine, measure
from benchmark.pairs import Skip
from benchmark.record import RECORD, TOLERANCE, achieved, record, recorded, regressions, table
from pointins_ext.errors import UserError
from pointins_ext.flags import at_least, output_file

REPEATS, QUICK_REPEATS = 15, 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--quick", action="store_true", help="small inputs, and the guard against regressions")
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), help="some cases")
    parser.add_argument(
        "--repeats", type=at_least(2), help=f"turns of each case (default {REPEATS}, quick {QUICK_REPEATS})"
    )
    parser.add_argument(
        "--tolerance",
        type=at_least(1, float),
        default=TOLERANCE,
        help=f"times the recorded ratio that --quick lets pass (default {TOLERANCE:g}; more on a noisy machine)",
    )
    parser.add_argument(
        "--json", type=output_file, help="write the figures to this file; cases that it has already stay"
    )
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda, but PyTorch finds no GPU; --device cpu measures without one")
    if args.json:
        recorded(args.json)  # before the measuring, which takes minutes
    return args


def run(args, names: list[str], repeats: int) -> dict[str, dict]:
    rows = {}
    for name in tqdm(names, unit="case", disable=None):
        if args.device not in CASES[name].target:
            continue
        try:
            rows[name] = apart(measure, name, args.device, args.quick, repeats)
        except Skip as reason:
            tqdm.write(f"{name} left out: {reason}", file=sys.stderr)
    return rows


def main():
    args = arguments()
    key = f"{args.device}{'_quick' if args.quick else ''}"
    on_record = recorded(str(RECORD)).get(key, {}).get("cases", {}) if args.quick else {}
    repeats = args.repeats or (QUICK_REPEATS if args.quick else REPEATS)
    rows = run(args, args.only or list(CASES), repeats)
    if slower := list(
        regressions(rows, on_record, args.tolerance)
    ):  # a neighbor's burst lasts a few turns, a regression stays
        rows |= run(args, slower, 4 * repeats)
    print(table(rows))
    for name, row in rows.items():
        print(f"{name}: {CASES[name].what}{'; ' + row['note'] if row['note'] else ''}\n  A: {achieved(row)}")
    if args.json:
        record(args.json, key, rows, machine(args.device))
    if still := regressions(rows, on_record, args.tolerance):
        print("\n".join(f"error: {sentence}" for sentence in still.values()), file=sys.stderr)
        sys.exit(1)

"""Speed of the parts against what does the same elsewhere: ratios measured side by side in one process.

    python tools/benchmark.py [--device cpu|cuda] [--only scr odr] [--json FILE]
    python tools/benchmark.py --quick      # small inputs, a minute; fails where a ratio stays 1.5 times the recorded

A and B run in turn, so that a busy machine slows both; the ratio is the median of A / B over the turns. Each case has a
process of its own, so that none meets the stand-ins of another. The table says what ratio was promised, the lines below
it what A and B are; memory is what a call adds at its peak. The figures on record are in tools/benchmarks.json; what
--quick finds slow is measured again, over four times as many turns.
"""

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from pointins_ext.errors import UserError

if __name__ == "__main__":
    os.environ["POINTINS_HOST"] = "embedded"  # Pointcept is what some cases are held against

import torch
from benchmark_cases import CASES, Skip
from tqdm import tqdm

from pointins_ext.errors import exit_on_user_error
from pointins_ext.files import write_text
from pointins_ext.flags import at_least, output_file

RECORD = Path(__file__).with_name("benchmarks.json")
REPEATS, QUICK_REPEATS = 15, 5
TOLERANCE = 1.5  # times the recorded ratio; beyond it the quick form fails


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


def synchronize(device) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(call, device) -> float:
    synchronize(device)
    begin = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - begin


def peak_memory(call, device) -> int | None:
    """Bytes that a call adds at its peak; None where the system does not tell."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # else the call finds the pages that earlier ones have left
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = resident("VmRSS")
        call()
        return resident("VmHWM") - before
    except (OSError, AttributeError):  # no Linux, or another C library
        return None


def synchronizations(call, device) -> int | None:
    """How often the host waits for the GPU during a call; None on CPU."""
    if device != "cuda":
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


def resident(name: str) -> int:
    """A figure of /proc/self/status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def apart(call, *arguments):
    """What a call gives in a process of its own: what it leaves in sys.modules ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def measure(name: str, device: str, quick: bool, repeats: int) -> dict:
    """Figures of a case. Skip where what it needs is missing."""
    case = CASES[name]
    threads = 1 if quick else case.threads  # beside another process two threads wait for each other
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pair = case.make(device, quick)
    for call in (pair.a, pair.b):  # first calls are slow
        call()
    memory = [peak_memory(call, device) for call in (pair.a, pair.b)]
    waits = [synchronizations(call, device) for call in (pair.a, pair.b)]
    times = [[seconds(call, device) for call in (pair.a, pair.b)] for _ in range(repeats)]
    ratios = [a / b * pair.scale for a, b in times]
    low, middle, high = statistics.quantiles(ratios, n=4)
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    return dict(
        ratio=middle,
        quartiles=[low, high],
        target=case.target[device],
        seconds=[a, b],
        memory=memory,
        synchronizations=waits,
        points=pair.points,
        threads=threads,
        repeats=repeats,
        note=pair.note,
    )


def machine(device: str) -> dict:
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return dict(device=name, cores=os.cpu_count(), torch=torch.__version__, python=platform.python_version())


def line(name: str, row: dict) -> str:
    a, b = (f"{1000 * s:,.1f}" for s in row["seconds"])
    memory = " / ".join("?" if m is None else f"{m / 2**20:,.0f}" for m in row["memory"])
    low, high = row["quartiles"]
    target = "" if row["target"] is None else f"{row['target']:g}"
    met = "" if row["target"] is None else ("yes" if row["ratio"] <= row["target"] else "no")
    rate = f"{row['points'] / row['seconds'][0] / 1000:,.0f}"
    return (
        f"| {name} | {a} | {b} | {row['ratio']:.2f} ({low:.2f} - {high:.2f}) | {target} | {met} | {rate} | {memory} |"
    )


def table(rows: dict[str, dict]) -> str:
    head = "| | A, ms | B, ms | A / B | target | met | A, 1000 points/s | memory A / B, MiB |\n" + "| --- " * 8 + "|\n"
    return head + "\n".join(line(name, row) for name, row in rows.items())


def regressions(rows: dict[str, dict], recorded: dict[str, dict], tolerance: float = TOLERANCE) -> dict[str, str]:
    """What has become slower than `tolerance` times its recorded ratio, a sentence each."""
    return {
        name: f"{name} takes {row['ratio']:.2f} times its reference, {recorded[name]['ratio']:.2f} is recorded"
        for name, row in rows.items()
        if name in recorded and row["ratio"] > tolerance * recorded[name]["ratio"]
    }


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


def recorded(path: str) -> dict:
    """What a file of `record` holds, nothing where there is none. ValueError for another file."""
    if not os.path.isfile(path):
        return {}
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} holds no figures of this tool ({error}); name another file: --json") from error


def record(path: str, key: str, rows: dict, about: dict) -> None:
    """Put rows under `key` of a JSON file, beside what it holds."""
    known = recorded(path)
    cases = known.get(key, {}).get("cases", {}) | rows
    known[key] = dict(machine=about, cases={name: cases[name] for name in CASES if name in cases})
    write_text(path, json.dumps(known, indent=1) + "\n")


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
        print(f"{name}: {CASES[name].what}{'; ' + row['note'] if row['note'] else ''}")
    if args.json:
        record(args.json, key, rows, machine(args.device))
    if still := regressions(rows, on_record, args.tolerance):
        print("\n".join(f"error: {sentence}" for sentence in still.values()), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    exit_on_user_error(main)

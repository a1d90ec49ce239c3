"""The figures of the benchmark: their table, their file, and what has become slower."""

import json
import os
from pathlib import Path

from benchmark.cases import CASES
from pointins_ext.errors import UserError
from pointins_ext.files import write_text

RECORD = Path(__file__).parents[1] / "benchmarks.json"
TOLERANCE = 1.5  # times the recorded ratio; beyond it the quick form fails


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


def achieved(row: dict) -> str:
    """How much A works, how fast, and the share of what the device can do."""
    parts = []
    for key, unit in dict(flops="GFLOP", bytes="GB").items():
        amount, rate = row["work"][key], row["work"][key] / row["seconds"][0]
        share = rate / row["ceiling"][key]
        parts.append(f"{amount / 1e9:,.2f} {unit} at {rate / 1e9:,.1f} {unit}/s, {share:.0%} of the ceiling")
    return "; ".join(parts)


def regressions(rows: dict[str, dict], recorded: dict[str, dict], tolerance: float = TOLERANCE) -> dict[str, str]:
    """What has become slower than `tolerance` times its recorded ratio, a sentence each."""
    return {
        name: f"{name} takes {row['ratio']:.2f} times its reference, {recorded[name]['ratio']:.2f} is recorded"
        for name, row in rows.items()
        if name in recorded and row["ratio"] > tolerance * recorded[name]["ratio"]
    }


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

"""Tables and pictures of a suite of ablations: rows.csv, table.md, scores.png, monitor.png.

Where runs differ in their number of steps: table and scores are those of the most, curve.md and curve.png of all.
A row holds everything that is shown of its run, so rows from elsewhere can be put beside one's own.
"""

import csv
import io
import math
from pathlib import Path

import numpy as np
from scipy import stats

from pointins_ext.files import write_text
from pointins_ext.visualization.figure import save_figure

# column of a row -> title; absent where a data set has no such score
COLUMNS = {
    "map": "probe mAP",
    "ap50": "probe AP50",
    "miou": "probe mIoU",
    "pq": "probe PQ",
    "probe_cosine": "probe cosine",
    "raw_pointins_map": "offsets mAP",
    "raw_pointins_ap50": "offsets AP50",
    "raw_pointins_recall50_touching": "touching",
    "off_pointins_map": "offsets mAP, planes removed",
    "off_pointins_recall50_touching": "touching, planes removed",
    "raw_kmeans_map": "k-means mAP",
    "offset_cosine": "cosine",
}
# title -> method, and the prefix of its columns in the place of `raw`: + planes, each plane is an instance of its own
GEOMETRIC = {
    "spatial components": ("components", "raw"),
    "spatial components + planes": ("components", "planes"),
    "HDBSCAN": ("hdbscan", "raw"),
    "HDBSCAN + planes": ("hdbscan", "planes"),
}
CURVE_COLUMNS = ("map", "miou", "pq", "raw_pointins_map")
CURVES = ("offset/length_mean", "offset/mean_direction", "offset/valid_share", "canary/cosine", "canary/error")


def interval(values) -> tuple[float, float]:
    """Mean and half width of its 95 % interval by Student's t, nan from a single value."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), math.nan
    width = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(width)


def paired(rows: list[dict], arm: str, baseline: str, column: str) -> np.ndarray:
    """Differences of an arm and the baseline, for every seed that both have."""
    of = {(row["arm"], row["seed"]): row[column] for row in rows if row.get(column) is not None}
    seeds = sorted(seed for name, seed in of if name == arm and (baseline, seed) in of)
    return np.array([of[arm, seed] - of[baseline, seed] for seed in seeds])


def table(rows: list[dict], arms: dict[str, str], columns=tuple(COLUMNS), geometric=True) -> str:
    """Markdown: an arm a line, mean and 95 % interval; the geometric rivals; differences, paired by seed.

    arms: arm -> the one that it is compared with. columns: those to show, where any row has them.
    """
    columns = [name for name in columns if any(name in row for row in rows)]
    lines = arm_lines(rows, arms, columns)
    if geometric:
        lines += geometric_lines(rows, columns)
    return markdown(["arm", "seeds", *(COLUMNS[name] for name in columns)], lines + paired_lines(rows, arms, columns))


def arm_lines(rows: list[dict], arms, columns: list[str]) -> list[list[str]]:
    lines = []
    for arm in arms:
        own = [row for row in rows if row["arm"] == arm]
        values = [[row[name] for row in own if row.get(name) is not None] for name in columns]
        if own:
            lines.append([arm, str(len(own)), *map(text, values, digits(columns))])
    return lines


def geometric_lines(rows: list[dict], columns: list[str]) -> list[list[str]]:
    lines = []
    for title, (method, prefix) in GEOMETRIC.items():
        values = [scored_once(rows, rivals_column(name, method, prefix)) for name in columns]
        if any(values):
            lines.append([title, "", *map(text, values, digits(columns))])
    return lines


def paired_lines(rows: list[dict], arms: dict[str, str], columns: list[str]) -> list[list[str]]:
    lines = []
    for arm, baseline in arms.items():
        values = [paired(rows, arm, baseline, name) for name in columns]
        if arm != baseline and any(len(v) for v in values):
            cells = (text(v, d, signed=True) for v, d in zip(values, digits(columns), strict=True))
            lines.append([f"{arm} - {baseline}", str(max(map(len, values))), *cells])
    return lines


def digits(columns: list[str]) -> list[int]:
    return [2 if "cosine" in name else 1 for name in columns]


def markdown(head: list[str], lines: list[list[str]]) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---"] * len(head), *lines])


def rivals_column(name: str, method: str, prefix: str) -> str | None:
    """Where a rival's score stands that compares with the offsets' in column `name`; None where there is none.

    With the planes removed there are no planes to add: that score stands in the row without them.
    """
    protocol, _, rest = name.partition("_pointins_")
    if not rest or (prefix, protocol) == ("planes", "off"):
        return None
    return f"{prefix if protocol == 'raw' else protocol}_{method}_{rest}"


def scored_once(rows: list[dict], column: str | None) -> list[float]:
    """What one run has measured for all."""
    return [row[column] for row in rows if row.get(column) is not None][:1]


def text(values, digits: int, signed=False) -> str:
    """Mean and interval for a table."""
    if len(values) == 0:
        return ""
    mean, width = interval(values)
    sign = "+" if signed else ""
    return f"{mean:{sign}.{digits}f}" + ("" if math.isnan(width) else f" ± {width:.{digits}f}")


def scores_figure(rows: list[dict], arms: dict[str, str], path: Path) -> None:
    """A panel a score: mean and 95 % interval of an arm, below it its runs; dotted: the means of baselines."""
    from matplotlib.figure import Figure

    columns = [name for name in ("map", "miou", "pq", "raw_pointins_map", "raw_pointins_recall50_touching")]
    columns = [name for name in columns if any(name in row for row in rows)]
    arms = {arm: baseline for arm, baseline in arms.items() if any(row["arm"] == arm for row in rows)}
    figure = Figure(figsize=(3.6 * len(columns), 0.42 * len(arms) + 1.2), layout="constrained")
    axes = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, columns, strict=True):
        for place, arm in enumerate(arms):
            values = [row[name] for row in rows if row["arm"] == arm and row.get(name) is not None]
            if not values:
                continue
            mean, width = interval(values)
            axis.errorbar(mean, place, xerr=0 if math.isnan(width) else width, fmt="o", color="C0", capsize=3)
            axis.plot(values, [place + 0.25] * len(values), "o", color="0.7", ms=3)
            if arm in arms.values():
                axis.axvline(mean, color="0.6", ls=":", lw=1)
        axis.set_title(COLUMNS[name], fontsize=10)
        axis.grid(axis="x", color="0.92")
    axes[0].set_yticks(range(len(arms)), list(arms))
    axes[0].invert_yaxis()
    save_figure(figure, path)


def curve_table(rows: list[dict], arms: dict[str, str]) -> str:
    """Markdown: a number of steps a line, differences of every arm and its baseline, paired by seed."""
    arms = {arm: base for arm, base in arms.items() if arm != base and len(steps_of(rows, arm)) > 1}
    names = [name for name in CURVE_COLUMNS if any(name in row for row in rows)]
    head = ["steps", *(f"{arm} - {base}, {COLUMNS[name]}" for arm, base in arms.items() for name in names)]
    lines = []
    for steps in sorted({steps for arm in arms for steps in steps_of(rows, arm)}):
        own = of_steps(rows, steps)
        values = [paired(own, arm, base, name) for arm, base in arms.items() for name in names]
        lines.append([str(steps), *(text(v, 1, signed=True) for v in values)])
    return markdown(head, lines)


def curve_figure(rows: list[dict], arms: dict[str, str], path: Path) -> None:
    """A panel a score: mean and 95 % interval of every arm over its pretraining steps."""
    from matplotlib.figure import Figure

    arms = [arm for arm in arms if len(steps_of(rows, arm)) > 1]
    names = [name for name in CURVE_COLUMNS if any(name in row for row in rows)]
    figure = Figure(figsize=(3.6 * len(names), 3.0), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for number, arm in enumerate(arms):
            scores = {
                steps: [row[name] for row in of_steps(rows, steps) if row["arm"] == arm and row.get(name) is not None]
                for steps in steps_of(rows, arm)
            }
            scores = {steps: interval(values) for steps, values in scores.items() if values}
            means, widths = np.array(list(scores.values())).T
            axis.errorbar(
                list(scores), means, np.nan_to_num(widths), fmt="o-", color=f"C{number}", capsize=3, label=arm
            )
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted({steps for arm in arms for steps in steps_of(rows, arm)}), minor=False)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set_xlabel("pretraining steps", fontsize=8)
        axis.set_title(COLUMNS[name], fontsize=10)
        axis.grid(color="0.92")
        axis.legend(fontsize=8)
    save_figure(figure, path)


def steps_of(rows: list[dict], arm: str) -> list[int]:
    return sorted({row["steps"] for row in rows if row["arm"] == arm})


def of_steps(rows: list[dict], steps: int) -> list[dict]:
    """The rows of so many pretraining steps, and those without any."""
    return [row for row in rows if row["steps"] in (0, steps)]


def monitor_figure(rows: list[dict], arms: dict[str, str], path: Path) -> None:
    """OffsetMonitor over the steps, an arm a color, a run a line."""
    from matplotlib.figure import Figure

    names = [name for name in CURVES if any(name in row.get("curves", {}) for row in rows)]
    arms = [arm for arm in arms if any(row["arm"] == arm and row.get("curves") for row in rows)]
    if not names:
        return
    figure = Figure(figsize=(3.4 * len(names), 3.0), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        for number, arm in enumerate(arms):
            for row in rows:
                if row["arm"] == arm and name in row.get("curves", {}):
                    axis.plot(*row["curves"][name], color=f"C{number}", lw=0.9)
            axis.plot([], [], color=f"C{number}", label=arm)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.tick_params(labelsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    save_figure(figure, path)


def thinned(steps, values, points=40) -> tuple[list[int], list[float]]:
    """A curve for a row: means of at most so many stretches of equal length."""
    parts = np.array_split(np.arange(len(values)), min(points, len(values)))
    digits = [float(f"{np.mean(np.take(values, part)):.4g}") for part in parts]
    return [round(float(np.mean(np.take(steps, part)))) for part in parts], digits


def write_report(folder: Path, rows: list[dict], arms: dict[str, str]) -> None:
    """Everything in `folder`. arms: arm -> the one that it is compared with."""
    keys = list(dict.fromkeys(key for row in rows for key in row if key != "curves"))
    content = io.StringIO()
    writer = csv.DictWriter(content, keys, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    most = of_steps(rows, max(row["steps"] for row in rows))
    files = {"rows.csv": content.getvalue(), "table.md": table(most, arms)}
    if any(len(steps_of(rows, arm)) > 1 for arm in arms):
        files["curve.md"] = curve_table(rows, arms)
        curve_figure(rows, arms, folder / "curve.png")
    for name, lines in files.items():
        write_text(folder / name, lines)
    scores_figure(most, arms, folder / "scores.png")
    monitor_figure(most, arms, folder / "monitor.png")

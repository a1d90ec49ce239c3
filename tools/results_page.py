"""Write the tables of the READMEs from the rows they report.

    python tools/results_page.py [--check]

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; TABLES says what each is made of. The rows
are in tools/results/*.json, the speeds in tools/benchmarks.json. A new row of label_free.json is what
`pointins evaluate --json` writes, with data, split, seed and scenes before it.
"""

import argparse
import functools
import json
import math
import re
from pathlib import Path

from ablation.report import (
    COLUMNS,
    curve_table,
    markdown,
    of_steps,
    paired,
    paired_lines,
    table,
    text,
)
from ablation.suites import SUITES
from benchmark.cases import CASES
from pointins_ext import weights
from pointins_ext.cli.evaluate import stored_rivals
from pointins_ext.errors import UserError, exit_on_user_error
from pointins_ext.files import write_text

ROOT = Path(__file__).resolve().parent.parent
CARDS = tuple(ROOT / f"pointins_ext/weights/{name}.md" for name in weights.NAMES)
PAGES = (ROOT / "README.md", ROOT / "tools/README.md", ROOT / "tools/results/README.md", *CARDS)
MARKED = re.compile(r"(<!-- table: ([^>]*?) -->\n).*?(<!-- end of table -->)", re.DOTALL)
STEPS = 4000  # of the ladder
BOXES = ("box25", "box50")
METHODS = dict(pointins="**PointINS**", kmeans="DOS + k-means", hdbscan="HDBSCAN", components="components")
SCORES = dict(ap50="AP50", map="mAP", ap25="AP25", ari="ARI", recall50_touching="touching", recall50_free="free")
ROOMS = ("map", "miou", "pq", "raw_pointins_map", "raw_pointins_recall50_touching")
VARIED = ("map", "ap50", "miou", "pq", "raw_pointins_map", "raw_pointins_ap50", "raw_pointins_recall50_touching")
PLANES_OFF = ("off_pointins_map", "off_pointins_recall50_touching")
PLUGIN = ("map", "ap50", "miou", "pq", "raw_pointins_map", PLANES_OFF[1])
SCANS = ("map", "ap50", "probe_cosine", "raw_pointins_map", "raw_pointins_ap50", ROOMS[-1], PLANES_OFF[0])
SWEEPS = ("miou", "pq", "raw_pointins_map", "raw_pointins_ap50", "off_pointins_map")
# rows -> their name in the overview, the score of the linear probe, and the arm with the branch
PROBES = dict(
    rooms_varied=("synthetic rooms, default targets", "map", "scr"),
    mosd_default=("real table tops, default targets, one seed", "map", "scr"),
    mosd=("real table tops, earlier targets", "map", "odr_kmeans"),
    drives=("simulated sweeps, earlier targets", "pq", "odr_kmeans"),
)
TARGETS = dict(cosine_cut="cosine, cut objects", kept="kept", stuff="stuff", ratio="length ratio", apart="apart, m")
CHANNEL_SCORES = ("ap50", "map", "recall50_touching")
# rows of weights.json in the overview
LABEL_FREE = {
    "indoor/rooms": "synthetic rooms",
    "indoor/mosd": "real table tops",
    "outdoor/pandaset": "real sweeps",
}
# scenes of the fine-tuning -> their name, and the scores with their titles
FINETUNED = {
    "rooms": ("synthetic rooms, from `indoor`", dict(map="mAP", ap50="AP50")),
    "mosd": ("real table tops (mOSD), from `indoor`", dict(map="mAP", ap50="AP50")),
    "drives": ("simulated sweeps, from `outdoor`", dict(pq="PQ")),
}
# what else they are scored on
SCENES = {
    "rooms": "procedural rooms of split `val`",
    "tabletops": "procedural table tops of split `val`",
    "mosd": "real table tops (mOSD, val)",
    "drives": "simulated sweeps of split `val`, HDL-32E",
    "pandaset": "frames of one real drive (PandaSet 002, val)",
    "av2": "a real sweep (Argoverse 2)",
    "semantickitti": "a real sweep (SemanticKITTI)",
}


def stored(name: str):
    """Rows of tools/results/NAME.json."""
    return json.loads((ROOT / f"tools/results/{name}.json").read_text(encoding="utf-8"))


def overview() -> str:
    """Instances without labels beside the best rival, then what the branch does for a linear probe."""
    lines = []
    for key, title in LABEL_FREE.items():
        for score, name in dict(ap50="AP50", map="mAP").items():
            row = stored("weights")[key][score]
            lines.append([f"{title}: instances without labels, {name}", *against_rival(row)])
    for data, (title, probe, arm) in PROBES.items():
        rows = of_steps(stored(data), STEPS)
        score = dict(map="mAP", pq="PQ")[probe]
        lines.append([f"{title}: linear probe, {score}", "without the branch", *compared(rows, probe, arm)])
    return markdown(["", "against", "its score", "with the branch", "difference"], lines)


def against_rival(row: dict) -> list[str]:
    """The best rival of a score, the rival's, ours, and the difference with its interval over scenes."""
    change = "{change:+.1f} ({change_interval[0]:+.1f} to {change_interval[1]:+.1f})".format(**row)
    return [rival_title(row["rival"]), f"{row['rival_value']:.1f}", f"{row['value']:.1f}", change]


def rival_title(name: str) -> str:
    return METHODS[name.removesuffix("_planes")] + (" + planes" if name.endswith("_planes") else "")


def card_scores(weight: str) -> str:
    """What the shipped weights reach: a kind of scenes a line, beside the best rival of each score."""
    head = ["scenes", "number", "objects"]
    for title in ("AP50", "mAP"):
        head += [f"{title} (95 %)", "best rival", "its " + title, "difference (95 %)"]
    lines = []
    for key, row in stored("weights").items():
        name, data = key.split("/")
        if name == weight:
            cells = [SCENES[data], str(row["scenes"]), str(row["objects"])]
            for score in ("ap50", "map"):
                entry = row[score]
                own = "{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})".format(**entry)
                rival, value, _, change = against_rival(entry)
                cells += [own if row["scenes"] > 1 else f"{entry['value']:.1f}", rival, value]
                cells.append(change if row["scenes"] > 1 else f"{entry['change']:+.1f}")
            lines.append(cells)
    return markdown(head, lines)


def label_free_runs(data: str, split: str) -> list[dict]:
    return [run for run in stored("label_free") if (run["data"], run["split"]) == (data, split)]


def compared(rows, column: str, arm: str) -> tuple[str, str, str]:
    """Without the branch, with it, and the difference."""
    return values(rows, "none", column), values(rows, arm, column), text(paired(rows, arm, "none", column), 1, True)


def values(rows, arm: str, column: str) -> str:
    return text([row[column] for row in rows if row["arm"] == arm and column in row], 1)


def label_free(data: str, split: str) -> str:
    """A method and checkpoint a line: raw scenes, then with each plane an instance of its own."""
    runs = label_free_runs(data, split)
    protocols = ("unsupervised", "unsupervised_with_planes")
    head = ["", "seed", *SCORES.values(), *(f"+ planes: {title}" for title in SCORES.values())]
    lines, gap = [], 0.1
    for method in (name for name in METHODS if name in runs[0]["unsupervised"]):
        cells = [[f"{100 * run[p][method][s]:.1f}" for p in protocols for s in SCORES] for run in runs]
        if all(line == cells[0] for line in cells):  # it does not depend on the checkpoint
            lines.append([METHODS[method], "", *cells[0]])
        else:
            lines += [[METHODS[method], str(run["seed"]), *line] for run, line in zip(runs, cells, strict=True)]
        gap = max([gap, *(difference(run, method) for run in runs)])
    return markdown(head, lines) + f"\nWith the planes removed for every method: within {gap:.1f} of *+ planes*.\n"


def difference(run: dict, method: str) -> float:
    """Largest difference of a score on scenes without planes and with planes as instances, percent."""
    apart, off = (run[f"unsupervised_{name}"][method] for name in ("with_planes", "planes_off"))
    return 100 * max(abs(apart[score] - off[score]) for score in SCORES)


def boxes() -> str:
    """Box AP of each method and checkpoint, planes apart."""
    lines = []
    for run in stored("label_free"):
        scores = [run["boxes"].get(name, {}).get(score) for name in METHODS for score in BOXES]
        cells = ["" if value is None else f"{100 * value:.1f}" for value in scores]
        lines.append([f"{run['data']}, {run['split']}", str(run["seed"]), *cells])
    return markdown(["scenes", "seed", *(f"{name}: {score}" for name in METHODS.values() for score in BOXES)], lines)


def rule_parts() -> str:
    """The graph rule with each part switched off alone: change and its interval."""
    parts = stored("rule")
    head = ["", *(f"{data}: {score}" for data in parts for score in ("AP50", "mAP"))]
    lines = []
    for name in next(iter(parts.values()))["rows"]:
        cells = [entry for data in parts.values() for entry in data["rows"][name].values()]
        lines.append([name, *(rule_cell(entry) for entry in cells)])
    return markdown(head, lines)


def channels() -> str:
    """Label-free scores of rooms, as if no scan had colors or normals, trained on all channels or with some dropped."""
    rows, lines = stored("channels"), []
    for option, name in ((False, "default"), (True, "`drop_color=0.3 drop_normal=0.3`")):
        for without in ([], ["color"], ["normal"], ["color", "normal"]):
            runs = [r for r in rows if (r["option"], r["without"]) == (option, without)]
            cells = [", ".join(f"{100 * run[score]:.1f}" for run in runs) for score in CHANNEL_SCORES]
            lines.append([name, " and ".join(without) or "nothing", *cells])
    return markdown(["trained with", "scans without", *(SCORES[score] for score in CHANNEL_SCORES)], lines)


def finetuning() -> str:
    """Scores of fine-tuning at 20 labeled scenes, each seed's, and the difference, paired by seed."""
    lines = []
    for data, (title, scores) in FINETUNED.items():
        rows = [row for row in stored("finetuning") if row["data"] == data]
        for score, name in scores.items():
            cells = [
                ", ".join(f"{row[score]:.1f}" for row in rows if row["arm"] == arm) for arm in ("scratch", "shipped")
            ]
            lines.append([title, name, *cells, text(paired(rows, "shipped", "scratch", score), 1, True)])
    return markdown(["scenes", "score", "from scratch", "from the shipped weights", "difference"], lines)


def rule_cell(entry: dict) -> str:
    if not entry["change"]:
        return f"{entry['value']:.1f}"
    return "{change:+.1f} ({low:+.1f} to {high:+.1f})".format(**entry)


def targets(data: str) -> str:
    """Every form of targets at several ages of the teacher, each score the mean over scenes and its interval."""
    ages = stored("targets")[data]
    last = list(ages)[-1]
    head = ["targets", *(f"{score} at {age} steps" for age in ages for score in ("cosine", "ARI"))]
    lines = []
    for name, row in ages[last].items():
        cells = [measured(rows[name].get(score)) for rows in ages.values() for score in ("cosine", "ari")]
        lines.append([name, *cells, *(f"{row[score]['mean']:.2f}" for score in TARGETS)])
    return markdown([*head, *(f"{title} at {last}" for title in TARGETS.values())], lines)


def measured(score: dict | None) -> str:
    if score is None or math.isnan(score["mean"]):
        return ""
    return f"{score['mean']:.3f} ± {score['interval']:.3f}"


def ladder(data: str, columns: tuple[str, ...], suite: str = "components", **options) -> str:
    return table(of_steps(stored(data), STEPS), SUITES[suite], columns, **options)


def differences(data: str, arms: dict[str, str], columns: tuple[str, ...]) -> str:
    lines = paired_lines(of_steps(stored(data), STEPS), arms, columns)
    return markdown(["arms", "seeds", *(COLUMNS[name] for name in columns)], lines)


def rivals() -> str:
    """Parameters of each rival, lengths in voxels."""
    lines = []
    for data, methods in stored_rivals().items():
        for method, chosen in methods.items():
            parts = [
                ", ".join(f"{k} {v:g}" for k, v in chosen[kind]["parameters"].items()) for kind in ("raw", "apart")
            ]
            lines.append([data, METHODS[method], *parts])
    return markdown(["data", "rival", "raw scenes", "planes apart"], lines)


def speed() -> str:
    lines = []
    for name, row in json.loads((ROOT / "tools/benchmarks.json").read_text(encoding="utf-8"))["cpu"]["cases"].items():
        (a, b), (low, high) = row["seconds"], row["quartiles"]
        ratio = f"{row['ratio']:.2f} ({low:.2f} - {high:.2f})"
        lines.append([f"`{name}`", CASES[name].what, f"{1000 * a:,.1f} / {1000 * b:,.1f}", ratio, f"{row['target']:g}"])
    return markdown(["case", "A against B", "ms", "A / B", "target"], lines)


TABLES = {
    "overview": overview,
    **{f"weights, {name}": functools.partial(card_scores, name) for name in weights.NAMES},
    "label-free, rooms": lambda: label_free("rooms", "val"),
    "label-free, rooms, split test": lambda: label_free("rooms", "test"),
    "label-free, table tops": lambda: label_free("mosd", "val"),
    "label-free, simulated sweeps": lambda: label_free("drives", "val"),
    "label-free, PandaSet": lambda: label_free("pandaset", "val"),
    "label-free, SemanticKITTI": lambda: label_free("semantickitti", "sample"),
    "label-free, Argoverse 2": lambda: label_free("av2", "sample"),
    "boxes": boxes,
    "rule": rule_parts,
    "channels": channels,
    "fine-tuning": finetuning,
    "targets, rooms": lambda: targets("rooms"),
    "targets, table tops": lambda: targets("mosd"),
    "ladder, rooms, default targets": lambda: ladder("rooms_varied", VARIED),
    "backbone, rooms": lambda: ladder("rooms_varied", VARIED, "backbone", geometric=False),
    "ladder, rooms": lambda: ladder("rooms", ROOMS + PLANES_OFF),
    "ladder, table tops, default targets": lambda: ladder("mosd_default", SCANS),
    "ladder, table tops": lambda: ladder("mosd", SCANS),
    "ladder, sweeps": lambda: ladder("drives", SWEEPS),
    "between arms, rooms": lambda: differences("rooms", {"odr_kmeans": "kmeans", "constant": "odr_kmeans"}, ROOMS),
    "between arms, table tops": lambda: differences("mosd", {"odr_kmeans": "kmeans"}, SCANS),
    "steps": lambda: curve_table(stored("rooms"), SUITES["components"]),
    "pretrainers": lambda: table(of_steps(stored("rooms"), 2000), SUITES["plugin"], PLUGIN, geometric=False),
    "rivals": rivals,
    "speed": speed,
}


def with_tables(page: str) -> str:
    """The page with its tables written anew. Raises UserError for an unknown name or a marker without its end."""
    if page.count("<!-- table:") != len(MARKED.findall(page)):
        raise UserError("a table lacks its second marker, <!-- end of table -->")
    return MARKED.sub(lambda match: match[1] + made(match[2]) + match[3], page)


def made(name: str) -> str:
    if name not in TABLES:
        raise UserError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    args = parser.parse_args()
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        updated = with_tables(page)
        if args.check and updated != page:
            raise UserError(f"{path} is out of date; run python tools/results_page.py")
        if not args.check:
            write_text(path, updated)


if __name__ == "__main__":
    exit_on_user_error(main)

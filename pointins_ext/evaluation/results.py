"""What an evaluation leaves: a table for the log, and JSON and CSV in the folder of the experiment."""

import csv
import io
import json
import math
import os

import numpy as np

from pointins_ext.errors import UserError, file_name
from pointins_ext.files import whole_file, write_text

# the metrics as they are written, in the log and in TensorBoard as in Pointcept's
TITLES = dict(
    miou="mIoU",
    macc="mAcc",
    allacc="allAcc",
    map="mAP",
    ap50="AP50",
    ap25="AP25",
    pq="PQ",
    sq="SQ",
    rq="RQ",
    pq_dagger="PQ_dagger",
    pq_things="PQ_things",
    pq_stuff="PQ_stuff",
)


def title(metric):
    """A metric's name as it is written."""
    return TITLES.get(metric, metric)


def split_classes(result):
    """(means: name -> float, columns: name -> value of each class) of a metric's `compute`."""
    means = {name: value for name, value in result.items() if not name.startswith("class_")}
    columns = {name.removeprefix("class_"): value for name, value in result.items() if name.startswith("class_")}
    return means, {name: [float(value) for value in values] for name, values in columns.items()}


def table(result, names, ignored=()):
    """Rows of the scored classes and of their mean: name -> {column: value}, nan where there is nothing to score."""
    means, columns = split_classes(result)
    rows = {name: {c: v[i] for c, v in columns.items()} for i, name in enumerate(names) if i not in ignored}
    return rows, {column: means.get(column, means.get(f"m{column}", math.nan)) for column in columns}


def render(result, names, ignored=()):
    """Lines of text in percent: the scored classes, their mean, all metrics; "-" where there is nothing to score."""
    rows, mean = table(result, names, ignored)
    width = max(len(name) for name in [*rows, "class"])
    lines = ["  " + "class".ljust(width) + "".join(f"{column:>8s}" for column in mean)]
    for name, row in [*rows.items(), ("mean", mean)]:
        lines.append("  " + name.ljust(width) + "".join(f"{_percent(value):>8s}" for value in row.values()))
    lines.append("  " + ", ".join(f"{title(name)} {_percent(v)}" for name, v in split_classes(result)[0].items()))
    left_out = [name for i, name in enumerate(names) if i in ignored]
    return "\n".join(lines + ([f"  not scored: {', '.join(left_out)}"] if left_out else []))


def save(folder, task, result, names, ignored=(), **about):
    """Write `folder`/results/`task`.json and .csv, whole or not at all; nan becomes null in JSON, empty in CSV.

    about: what else the JSON says, such as the weights that were tested.
    """
    rows, mean = table(result, names, ignored)
    metrics = {name: _or_none(value) for name, value in split_classes(result)[0].items()}
    classes = {name: {column: _or_none(value) for column, value in row.items()} for name, row in rows.items()}
    left_out = [name for i, name in enumerate(names) if i in ignored]
    content = dict(about, metrics=metrics, classes=classes, ignored=left_out)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *mean])
    for name, row in [*rows.items(), ("mean", mean)]:
        writer.writerow([name, *map(_or_none, row.values())])
    folder = os.path.join(folder, "results")
    for extension, lines in (("json", json.dumps(content, indent=1)), ("csv", text.getvalue())):
        write_text(os.path.join(folder, f"{task}.{extension}"), lines)


def save_prediction(folder, name, prediction):
    """Write the arrays of a scene to `folder`/result/`name`.npz, whole or not at all."""
    with whole_file(os.path.join(folder, "result", f"{file_name(name)}.npz")) as stream:
        np.savez_compressed(stream, **prediction)


def _percent(value):
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _or_none(value):
    return None if math.isnan(value) else value


def class_names(data):
    """Names of the classes of `cfg.data`. ValueError unless there is one, and another, for each."""
    names = list(data.get("names") or [f"class_{i}" for i in range(data.num_classes)])
    if len(names) != data.num_classes or len(set(names)) < len(names):
        raise UserError(
            f"data.names holds {len(names)} names, {len(set(names))} of them distinct; expected one for each of the "
            f"data.num_classes = {data.num_classes} classes"
        )
    return names


def report(logger, headline, task, score, names):
    """Log the table and what a reader has to know of it."""
    if score.overlooked:
        classes = ", ".join(names[i] for i in sorted(score.overlooked))
        logger.warning(f"classes that have instances are not scored as instances, as the config says: {classes}")
    losses = "".join(f", {name} {value:.4f}" for name, value in score.losses.items())
    logger.info(f"{headline}, {score.scenes} scenes{losses}, percent:\n{render(score.result, names, task.ignored)}")

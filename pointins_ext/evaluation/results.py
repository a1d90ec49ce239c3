"""What an evaluation leaves: a table for the log, and JSON and CSV in the folder of the experiment."""

import csv
import io
import json
import math
import os


def split_classes(result):
    """(means: name -> float, columns: name -> value of each class) of a metric's `compute`."""
    means = {name: value for name, value in result.items() if not name.startswith("class_")}
    columns = {name.removeprefix("class_"): value for name, value in result.items() if name.startswith("class_")}
    return means, {name: [float(value) for value in values] for name, values in columns.items()}


def render(result, names, ignored=()):
    """Lines of text: every class that is scored in percent, then the means; "-" where there is nothing to score."""
    means, columns = split_classes(result)
    width = max(len(name) for name in [*names, "class"])
    lines = [" " * 2 + "class".ljust(width) + "".join(f"{column:>8s}" for column in columns)]
    for i, name in enumerate(names):
        if i not in ignored:
            lines.append("  " + name.ljust(width) + "".join(f"{_percent(v[i]):>8s}" for v in columns.values()))
    lines.append("  " + ", ".join(f"{name} {_percent(value)}" for name, value in means.items()))
    return "\n".join(lines)


def save(folder, task, result, names, ignored=(), **about):
    """Write `folder`/results/`task`.json and .csv, whole or not at all; nan becomes null in JSON, empty in CSV.

    about: what else the JSON says, such as the weights that were tested.
    """
    means, columns = split_classes(result)
    classes = {
        name: {column: _or_none(values[i]) for column, values in columns.items()}
        for i, name in enumerate(names)
        if i not in ignored
    }
    table = dict(about, metrics={name: _or_none(value) for name, value in means.items()}, classes=classes)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *columns])
    writer.writerows([name, *row.values()] for name, row in classes.items())
    folder = os.path.join(folder, "results")
    os.makedirs(folder, exist_ok=True)
    for extension, content in (("json", json.dumps(table, indent=1)), ("csv", text.getvalue())):
        path = os.path.join(folder, f"{task}.{extension}")
        with open(f"{path}.tmp", "w", encoding="utf-8") as stream:
            stream.write(content)
        os.replace(f"{path}.tmp", path)


def _percent(value):
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _or_none(value):
    return None if math.isnan(value) else value

"""One self-contained HTML page for a run: scores beside their baselines, pictures, curves, commands."""

import base64
from html import escape
from pathlib import Path

import numpy as np

from pointins_ext.files import write_text

from .curve import curve_svg, number_text

SCORES = (("ap50", "AP50"), ("map", "mAP"), ("ap25", "AP25"), ("ari", "ARI"))
PROTOCOLS = (
    ("unsupervised", "raw scenes"),
    ("unsupervised_with_planes", "raw scenes, each plane an instance"),
    ("unsupervised_planes_off", "planes removed first"),
)

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0; --page: #fcfcfd; --mark: #0b68cb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --soft: #a0a4ab; --line: #363a3f; --page: #17181a; --mark: #70b8ff; } }
body { margin: 2.5rem auto; max-width: 75rem; padding: 0 1.5rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .4rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
p, caption, figcaption { color: var(--soft); } a { color: var(--mark); }
figcaption, caption { font-size: .9rem; text-align: left; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: .35rem .9rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { font-weight: 600; }
td.best { font-weight: 700; color: var(--mark); } th.group { text-align: center; }
th.first, td.first { border-left: 1px solid var(--line); }
figure { margin: 0 0 1.6rem; }
img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px; background: #fff; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; } .curves figure { margin: 0; }
svg text { fill: var(--soft); font-size: 11px; } svg .axis { stroke: var(--line); }
svg .raw { stroke: var(--mark); fill: none; stroke-width: 1.4; } svg .faint { opacity: .35; stroke-width: 1; }
pre { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; font-size: .9rem; }
"""


def write_report(path, metrics, images=(), curves=None, commands=(), title="PointINS report", links=()):
    """Writes one HTML file without external resources and returns its path.

    metrics: nested dict of numbers and texts; `unsupervised`, `unsupervised_with_planes` and `unsupervised_planes_off`
    hold {method: {ap50, map, ap25, ari}} and are shown side by side, anything else as it comes. images: (title, png
    path) pairs, embedded.
    curves: name -> (steps, values). commands: shell lines that repeat the run. links: (text, file beside the report).
    FileNotFoundError for a missing image, ValueError for a curve whose steps and values differ in number.
    """
    scores, facts, tables = _sorted_out(metrics)
    body = [f"<h1>{escape(title)}</h1>"]
    body += [f'<p><a href="{escape(file)}">{escape(text)}</a></p>' for text, file in links]
    body += [_facts(facts)] if facts else []
    body += ["<h2>Instances without labels</h2>", _score_table(scores)] if scores else []
    body += [f"<h2>{escape(_words(name))}</h2>{_facts(entries)}" for name, entries in tables.items()]
    body += ["<h2>Pictures</h2>", *(_image(*image) for image in images)] if images else []
    body += ["<h2>Curves</h2>", _curves(curves)] if curves else []
    body += ["<h2>Commands</h2>", f"<pre>{escape(chr(10).join(commands))}</pre>"] if commands else []
    return write_page(path, title, "\n".join(body))


def write_page(path, title, body, style=""):
    """Writes an HTML page in the report's colors, whole or not at all; `style` is further CSS. Returns the path."""
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{style}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )
    path = Path(path)
    write_text(path, page)
    return path


def _sorted_out(metrics):
    """Splits metrics into score protocols, single facts, and further nested tables (flattened to one level)."""
    protocols = [name for name, _ in PROTOCOLS]
    scores = {name: metrics[name] for name in protocols if metrics.get(name)}
    rest = {name: value for name, value in metrics.items() if name not in protocols}
    tables = {name: dict(_flat(value)) for name, value in rest.items() if isinstance(value, dict) and value}
    facts = {name: value for name, value in rest.items() if not isinstance(value, dict)}
    return scores, facts, tables


def _flat(entries, prefix=""):
    for name, value in entries.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} / ")
        else:
            yield f"{prefix}{name}", value


def _words(name):
    return str(name).replace("_", " ")


def _text(value):
    if isinstance(value, (float, np.floating)):
        return number_text(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(v) for v in value)
    return str(value)


def _score_text(value):
    """Aligned digits: three for a share in 0..1, one for percent; counts as they are."""
    if not isinstance(value, (float, np.floating)) or not np.isfinite(value):
        return "–" if value is None else _text(value)
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"


def _facts(entries):
    rows = (f"<tr><td>{escape(_words(k))}</td><td>{escape(_text(v))}</td></tr>" for k, v in entries.items())
    return f'<div class="wide"><table><tbody>{"".join(rows)}</tbody></table></div>'


def _score_table(scores):
    """Methods as rows, every score of every protocol as a column; the best of a column stands out."""
    shown = [(name, label) for name, label in PROTOCOLS if name in scores]
    methods = list(dict.fromkeys(method for name, _ in shown for method in scores[name]))
    extra = dict.fromkeys(key for name, _ in shown for entry in scores[name].values() for key in entry)
    keys = [*SCORES, *((key, _words(key)) for key in extra if key not in dict(SCORES))]
    groups = "".join(f'<th class="group first" colspan="{len(keys)}">{label}</th>' for _, label in shown)
    names = "".join(_cell("th", escape(label), i == 0) for _ in shown for i, (_, label) in enumerate(keys))
    best = {(name, key): _best(scores[name], key) for name, _ in shown for key, _ in keys}
    rows = []
    for method in methods:
        cells = [f"<td>{escape(_words(method))}</td>"]
        for name, _ in shown:
            for i, (key, _) in enumerate(keys):
                value = scores[name].get(method, {}).get(key)
                stands_out = value is not None and value == best[name, key]
                cells.append(_cell("td", escape(_score_text(value)), i == 0, stands_out))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="wide"><table><caption>Scores against the true instances; no method saw a label. '
        "Bold: best of its column.</caption>"
        f"<thead><tr><th></th>{groups}</tr><tr><th>method</th>{names}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(tag, text, first, best=False):
    classes = " ".join(name for name, on in (("first", first), ("best", best)) if on)
    return f'<{tag} class="{classes}">{text}</{tag}>' if classes else f"<{tag}>{text}</{tag}>"


def _best(entries, key):
    values = [entry[key] for entry in entries.values() if isinstance(entry.get(key), (int, float))]
    values = [value for value in values if np.isfinite(value)]
    return max(values) if len(values) > 1 else None


def _image(title, path):
    if not Path(path).is_file():
        raise FileNotFoundError(f"picture {str(path)!r} ({title}) of the report does not exist; write it first")
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(title)}">'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _curves(curves):
    drawn = (
        f"<figure>{curve_svg(_words(name), *xy)}<figcaption>{escape(_words(name))}</figcaption></figure>"
        for name, xy in curves.items()
    )
    return f'<div class="curves">{"".join(drawn)}</div>'

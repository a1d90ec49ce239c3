"""Interactive 3D page of segmented scans: one HTML file, plotly.js inside, that needs no network."""

import json
from html import escape
from pathlib import Path

import numpy as np
import torch

from pointins_ext.errors import UserError
from pointins_ext.instances import oriented_boxes
from pointins_ext.ops import segment_max, segment_mean

from .figure import check_scenes
from .render import instance_colors, match_colors
from .report import write_page

LEAST_POINTS = 50  # drawn of every instance, however small its share of the scan

STYLE = """
body { margin: 0; padding: 0; max-width: none; height: 100vh; display: grid; grid: auto 1fr / 1fr 20rem; }
header { grid-column: 1 / 3; display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem;
  padding: .6rem 1rem; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.1rem; margin: 0; } [hidden] { display: none !important; }
select { font: inherit; padding: .2rem .4rem; max-width: 20rem; }
fieldset { display: flex; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
label { cursor: pointer; } label span { display: block; padding: .2rem .6rem; }
label input { position: absolute; opacity: 0; } input:checked + span { background: var(--mark); color: var(--page); }
input:focus-visible + span { outline: 2px solid var(--ink); outline-offset: -2px; }
#plot { min-width: 0; min-height: 0; }
aside { border-left: 1px solid var(--line); overflow-y: auto; padding: .6rem 1rem; font-size: .9rem; }
aside p { margin: .3rem 0; } summary { color: var(--soft); cursor: pointer; }
table { width: 100%; margin-top: .6rem; } thead th { position: sticky; top: -.6rem; background: var(--page); }
th, td { padding: .2rem .3rem; }
tbody tr { cursor: pointer; } tbody tr:hover { background: color-mix(in srgb, var(--mark) 12%, transparent); }
tr.off { opacity: .45; } td input, th input { margin: 0 .6rem 0 0; vertical-align: -1px; cursor: pointer; }
td i { display: inline-block; width: .8rem; height: .8rem; margin-right: .5rem; border-radius: 50%;
  vertical-align: -1px; }
@media (max-width: 50rem) { body { grid: auto 60vh auto / 1fr; height: auto; } header { grid-column: 1; }
  aside { border: 0; } }
"""

BODY = """<header><h1>{title}</h1><select id="scan" aria-label="scan"></select>
<fieldset aria-label="points">
<label><input type="radio" name="points" value="input"><span>Input</span></label>
<label><input type="radio" name="points" value="instances" checked><span>Instances</span></label>
<label><input type="radio" name="points" value="truth"><span>Truth</span></label>
<label><input type="radio" name="points" value="none"><span>No points</span></label></fieldset>
<fieldset aria-label="on top">
<label><input type="checkbox" id="centers"><span>Predicted centers</span></label>
<label><input type="checkbox" id="offsets"><span>Offsets</span></label>
<label><input type="checkbox" id="boxes"><span>Boxes</span></label></fieldset></header>
<div id="plot"></div>
<aside><p id="about"></p>
<p>Click a row to hide or show its points.</p>
<details><summary>What the score says</summary><p>How sure the prediction is of the instance, from 0 to 1. Found
without labels, the score grows with the instance's voxels, less the more speaks for joining it to a neighbor; from a
model trained on labels it is the probability of its class.</p></details>
<table><thead><tr><th><input type="checkbox" id="all" aria-label="all">instance</th><th>points</th><th>score</th></tr>
</thead><tbody></tbody></table>
</aside>
<script>{plotly}</script>
<script>const SCANS = {scans};
{code}</script>"""


def write_viewer(path, scenes, title="PointINS viewer", max_points=60_000):
    """Writes one HTML file that shows scenes in 3D, without any external resource, and returns its path.

    A scene is that of `instances_figure`: coord (N, 3) meters, color (N, 3) 0..255, predicted (N,) ids, -1 = none, and
    offset (N, 3) meters to the predicted center; instance (N,), the true ids, and name are optional, and so are, for
    predicted ids 0..I-1, score (I,) and stuff (I,) bool: planes, which get no box. At most `max_points` of a scene are
    drawn, always the same, some of every instance; the numbers of the table and the boxes, those of `oriented_boxes`,
    are those of all points. Raises ValueError for no scene, shapes that do not fit or values that are not finite,
    KeyError for a missing entry, ImportError without plotly.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError("the 3D viewer needs plotly: pip install pointins_ext[viz]") from error
    check_scenes("write_viewer", scenes, {"coord", "color", "predicted", "offset"})
    scans = [_scan(scene, str(scene.get("name", f"scan {i}")), max_points) for i, scene in enumerate(scenes)]
    body = BODY.format(
        title=escape(title),
        plotly=get_plotlyjs(),
        # a name may hold "</script>"
        scans=json.dumps(scans, separators=(",", ":")).replace("<", "\\u003c"),
        code=Path(__file__).with_name("viewer.js").read_text(encoding="utf-8"),
    )
    return write_page(path, title, body, STYLE)


def subsample(group, max_points):
    """Indices (M,) of at most `max_points` points, by their group (N,) and in its order, the same at every call.

    Groups keep their shares, but LEAST_POINTS of each come first. Raises ValueError where a group would get no point.
    """
    sizes = np.bincount(group)
    if max_points < np.count_nonzero(sizes):
        raise UserError(f"max_points is {max_points}, but {np.count_nonzero(sizes)} instances have to be drawn")
    order = np.random.default_rng(0).permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    rank = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    turn = np.where(rank < LEAST_POINTS, rank - LEAST_POINTS, rank / np.repeat(sizes, sizes))
    return order[np.sort(np.argsort(turn, kind="stable")[:max_points])]


def _scan(scene, name, max_points):
    """What the page knows of one scan: rows of the table, largest first, and the drawn points in their order."""
    coord, offset, color, predicted, truth = _checked(scene, name)
    coord = coord - coord.min(axis=0)  # map coordinates are too large for a graphics card
    ids, group = _by_size(predicted)
    drawn = subsample(group, max_points)
    painted = predicted if truth is None else match_colors(predicted, truth)
    corners = oriented_boxes(coord, np.where(ids[group] < 0, -1, group)).corners()  # -1 is the last group
    rows = _instances(coord, offset, group, ids, painted)
    found = ids[ids >= 0]
    about = (_of_ids(scene, key, name, found) for key in ("score", "stuff"))
    for row, box, score, stuff in zip(rows, corners, *about, strict=False):
        row["score"] = score if score is None else round(score, 3)
        row |= dict(plane=True) if stuff else dict(box=_millimeters(box))
    boxes = np.array([row["box"] for row in rows if "box" in row]).reshape(-1, 3) / 1000
    for row, number in zip(rows, np.bincount(group[drawn], minlength=len(ids)).tolist(), strict=True):
        row["drawn"] = number
    scan = dict(
        name=name,
        total=len(coord),
        range=_millimeters(_box(np.concatenate([coord, coord + offset, boxes]))),
        instances=rows,
        coord=_millimeters(coord[drawn].T),
        offset=_millimeters(offset[drawn].T),
        color=np.clip(np.round(color[drawn]), 0, 255).astype(np.uint8).tobytes().hex(),
    )
    return scan if truth is None else scan | _truth(truth, drawn)


def _checked(scene, name):
    coord, offset, color = (np.asarray(scene[key], np.float64) for key in ("coord", "offset", "color"))
    predicted = np.asarray(scene["predicted"], np.int64)
    if len(coord) == 0 or coord.shape != (len(predicted), 3):
        raise UserError(f"{name}: coord has shape {coord.shape} and predicted {predicted.shape}, expected (N, 3), (N,)")
    for key, array in dict(coord=coord, offset=offset, color=color).items():
        if array.shape != coord.shape or not np.isfinite(array).all():
            raise UserError(f"{name}: {key} of shape {array.shape}, expected finite numbers in shape {coord.shape}")
    truth = scene.get("instance")
    if truth is not None and np.shape(truth) != predicted.shape:
        raise UserError(f"{name}: instance has shape {np.shape(truth)}, expected that of predicted, {predicted.shape}")
    return coord, offset, color, predicted, truth if truth is None else np.asarray(truth, np.int64)


def _of_ids(scene, key, name, ids):
    """scene[key] of each predicted id, None where the scene does not have it."""
    if key not in scene:
        return [None] * len(ids)
    value, number = np.asarray(scene[key]), max(ids, default=-1) + 1
    if value.ndim != 1 or len(value) < number or not np.isfinite(value).all():
        raise UserError(f"{name}: {key} of shape {value.shape}, expected a finite value for each id 0..{number - 1}")
    return value[ids].tolist()


def _by_size(label):
    """Distinct ids (G,), the largest first and -1 last, and for every point its place in them (N,)."""
    ids, group, size = np.unique(np.maximum(label, -1), return_inverse=True, return_counts=True)
    order = np.lexsort([-size, ids < 0])
    return ids[order], np.argsort(order)[group]


def _instances(coord, offset, group, ids, painted):
    extent = _highest(coord, group, len(ids)) + _highest(-coord, group, len(ids))
    center = segment_mean(torch.from_numpy(coord + offset), torch.from_numpy(group), len(ids)).numpy()
    rows = _rows(ids, group, painted)
    for i, row in enumerate(rows):
        row["extent"] = " × ".join(f"{length:.2f}" for length in extent[i]) + " m"
        if row["id"] >= 0:
            row["center"] = _millimeters(center[i])
    return rows


def _truth(truth, drawn):
    ids, group = _by_size(truth)
    return dict(truth=_rows(ids, group, truth), truth_row=group[drawn].tolist())


def _rows(ids, group, painted):
    """Id, points and color of every group; `painted` (N,) are the ids that give the colors."""
    color = instance_colors(painted[np.unique(group, return_index=True)[1]])
    sizes = np.bincount(group).tolist()
    return [
        dict(id=i, size=size, color=f"rgb({r},{g},{b})")
        for i, size, (r, g, b) in zip(ids.tolist(), sizes, color.tolist(), strict=True)
    ]


def _highest(points, group, num_groups):
    return segment_max(torch.from_numpy(points), torch.from_numpy(group), num_groups).numpy()


def _box(points):
    """Lowest and highest of every axis (3, 2) with some room; a flat scan still fills a box."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.01 * (high - low).max() + 0.01
    return np.stack([low - room, high + room], axis=1)


def _millimeters(meters):
    return np.round(1000 * meters).astype(np.int64).tolist()

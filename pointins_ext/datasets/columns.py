"""Which array of a file is what: by the names that are in use, or by the number of its columns."""

import re

import numpy as np

from pointins_ext.errors import UserError, notice

KEYS = ("coord", "color", "normal", "strength", "segment", "instance")
ALIASES = dict(
    coord=("points", "xyz", "pos", "coords", "position", "positions", "vertices"),
    color=("colors", "colour", "colours", "rgb", "rgba"),
    normal=("normals",),
    strength=("intensity", "intensities", "reflectance", "reflectivity", "remission", "i"),
    segment=(
        *("label", "labels", "semantic", "semantics", "semantic_label", "semantic_labels", "sem_label", "sem_labels"),
        *("semantic_class", "class", "class_id", "category", "classification"),
    ),
    instance=(
        *("instance_id", "instances", "instance_label", "instance_labels", "inst", "inst_label", "ins_label"),
        *("ins_labels", "object_id", "objectid", "tree_id", "treeid"),
    ),
)
TRIPLES = dict(
    coord=(("x", "y", "z"),),
    color=(
        ("red", "green", "blue"),
        ("r", "g", "b"),
        ("rf", "gf", "bf"),
        ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ),
    normal=(("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"), ("normalx", "normaly", "normalz")),
)
KEY_OF = {name: key for key in KEYS for name in (key, *ALIASES[key])}
SINGLES = {name: key for key, triples in TRIPLES.items() for triple in triples for name in triple}
# what else a table of so many columns may hold, as an example for the message
EXAMPLES = {
    4: "segment=a[:, 3]",
    5: "strength=a[:, 3], segment=a[:, 4]",
    6: "color=a[:, 3:6]",
    7: "color=a[:, 3:6], segment=a[:, 6]",
    8: "color=a[:, 3:6], segment=a[:, 6], instance=a[:, 7]",
    9: "color=a[:, 3:6], normal=a[:, 6:9]",
}


def plain(name):
    """The name in lower case, without CloudCompare's prefix `scalar_`, words joined by `_`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower()).removeprefix("scalar_")


def is_known(name):
    """Whether a scene has a use for an array of this name."""
    return plain(name) in KEY_OF or plain(name) in SINGLES


def columns_of(data, source):
    """Arrays under the names of a scene, from what a file holds: named arrays, a table of records, or a plain table.

    data: dict name -> array, where None stands for an array that was not read because its name says nothing.
    ValueError that names `source` where there are no coordinates, or columns that cannot be told apart.
    """
    if isinstance(data, dict):
        return _by_name(data, source)
    if data.dtype.names:
        return _by_name({name: data[name] for name in data.dtype.names}, source)
    return _by_position(data, source)


def _by_name(fields, source):
    names = {plain(name): name for name in fields}
    columns = {}
    for key in KEYS:
        found = [name for name in (key, *ALIASES[key]) if name in names]
        triples = [triple for triple in TRIPLES.get(key, ()) if all(name in names for name in triple)]
        if triples:
            columns[key] = _stack([fields[names[name]] for name in triples[0]], triples[0], source)
        elif found:
            columns[key] = np.asarray(fields[names[found[0]]])
        if len(found) > 1 and key in ("segment", "instance") and found[1] != "classification":
            notice(key, f"{source}: {' and '.join(found)} can all be {key}; {found[0]} is used, name that one {key}")
    if "coord" not in columns:
        listed = ", ".join(repr(name) for name in fields) or "nothing"
        raise UserError(
            f"{source}: no coordinates, found {listed}; expected x, y and z, or an array (N, 3) named coord: rename it"
        )
    return columns


def _stack(values, names, source):
    shapes = {name: np.shape(value) for name, value in zip(names, values, strict=True)}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise UserError(f"{source}: {', '.join(names)} have the shapes {shapes}, expected (N,) for each")
    return np.stack(values, axis=1)


def _by_position(table, source):
    """Of 3, 4, 6 or 9 columns; all but 3 are a guess, which is said."""
    _require_rows(table, source)
    count = table.shape[1]
    rest = _unit_rows(table[:, 3:6]), _unit_rows(table[:, 6:9])
    if count == 3:
        return dict(coord=table)
    if count == 4:
        notice("columns", f"{source}: 4 columns, taken for x y z strength; if the fourth is a label: {_cure(4)}")
        return dict(coord=table[:, :3], strength=table[:, 3])
    if count == 6 and rest[0] and not (table[:, 3:] < 0).any() and (table[:, 3:] == np.rint(table[:, 3:])).all():
        raise UserError(f"{source}: columns 4 to 6 can be pure colors or normals along the axes; {_cure(6)}")
    if count in (6, 9) and rest[0] and not rest[1]:
        keys = ("coord", "normal", "color")[: count // 3]
    elif count == 6 and _can_be_colors(table[:, 3:]):
        keys = ("coord", "color")
    elif count == 9 and rest[1] and _can_be_colors(table[:, 3:6]):
        keys = ("coord", "color", "normal")
    elif count == 9 and _can_be_colors(table[:, 3:6]) and _within_unit(table[:, 6:]):
        notice(
            "columns",
            f"{source}: columns 7 to 9 lie in 0..1 and are no normals: taken for normalized coordinates, left out",
        )
        keys = ("coord", "color")
    else:
        what = "neither colors nor normals" if count in (6, 9) else "expected 3, 4, 6 or 9"
        raise UserError(f"{source}: a table of {count} columns, {what}; say what they are: {_cure(count)}")
    notice("columns", f"{source}: {count} columns, taken for {' '.join(keys)}; if they are not: {_cure(count)}")
    return {key: table[:, 3 * i : 3 * i + 3] for i, key in enumerate(keys)}


def _require_rows(table, source):
    """ValueError where the array is no table with a row for each point."""
    if table.dtype.kind not in "fiub":
        raise UserError(f"{source}: an array of {table.dtype}, expected numbers")
    shape = table.shape
    cure = None
    if table.ndim == 1:
        cure = "np.save(file, a.reshape(-1, 3)) if it holds x y z x y z ..."
    elif table.ndim > 2:
        cure = f"np.save(file, a.reshape(-1, {shape[-1]}))" if shape[-1] in (3, 4, 6, 9) else "one row for each point"
    elif table.ndim == 2 and shape[0] < 10 < shape[1]:
        cure = "rows are points: np.save(file, a.T)"
    elif table.ndim != 2 or shape[1] < 3:
        cure = "x y z in the first three columns"
    if cure:
        raise UserError(f"{source}: an array of shape {shape}, expected (N, 3) or more columns; {cure}")


def _cure(count):
    more = EXAMPLES.get(count, "color=..., normal=..., segment=..., instance=...")
    return f"a = np.load(file); np.savez('scan.npz', coord=a[:, :3], {more})"


def _unit_rows(value):
    """Whether nearly all rows, those of zeros or NaN aside, have length 1."""
    length = np.linalg.norm(value.astype(np.float64), axis=1)
    length = length[np.isfinite(length) & (length > 0)]
    return value.shape[1] == 3 and len(length) > 0 and bool((np.abs(length - 1) < 0.02).mean() > 0.95)


def _within_unit(value):
    value = value[np.isfinite(value)]
    return bool((np.abs(value - 0.5) <= 0.5 + 1e-3).mean() > 0.99)


def _can_be_colors(value):
    """Whether hardly a value is negative; the range is decided later."""
    value = value[np.isfinite(value)]
    return bool((value < 0).mean() < 0.01) if len(value) else True

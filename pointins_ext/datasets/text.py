"""Scans as text, one point a line: .txt .xyz .csv .asc .pts, with or without a line that names the columns."""

import re

import numpy as np

from pointins_ext.datasets.columns import is_known, plain
from pointins_ext.errors import UserError

TEXT = (".txt", ".xyz", ".csv", ".asc", ".pts")
COMMENTS = ("#", "//")
HEAD = 1 << 16  # bytes in which the first point is looked for
PTS = {  # columns of Leica's .pts
    3: ("x", "y", "z"),
    4: ("x", "y", "z", "intensity"),
    6: ("x", "y", "z", "r", "g", "b"),
    7: ("x", "y", "z", "intensity", "r", "g", "b"),
}
PLAIN = (3, 4, 6, 9)  # columns that tell what they are
NAME_THEM = "name the columns in a first line: x y z r g b nx ny nz intensity label instance, others as you like"


def read_text(path):
    """Columns of a text scan by name, None for those that a scene has no use for, or its table (N, C) without names.

    Separators are spaces, tabs, commas or semicolons; # and // begin comments; a line of words, also as a comment,
    names the columns; a single number before the points is their count. Reads some 0.5 M lines a second. ValueError
    that names the line where it is no row of numbers like the first, or the count is another.
    """
    names, skipped, delimiter, count, width = _head(path)
    try:
        table = np.loadtxt(
            path, comments=COMMENTS, delimiter=delimiter, skiprows=skipped, ndmin=2, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise _bad_line(path, skipped, delimiter, width) from error
    if count is not None and count != len(table):
        raise UserError(f"its first line says {count} points, it has {len(table)}; is the file complete?")
    if names is None and path.suffix.lower() == ".pts":
        names = PTS.get(table.shape[1])
    if names is None:
        if table.shape[1] not in PLAIN:
            raise UserError(f"{table.shape[1]} columns without names; {NAME_THEM}")
        return table
    if len(names) != table.shape[1]:
        raise UserError(f"its header names {len(names)} columns ({' '.join(names)}), its rows have {table.shape[1]}")
    return {name: table[:, i] if is_known(name) else None for i, name in enumerate(names)}


def is_text_scan(path):
    """Whether a text file begins as a scan does: calibrations, poses, lists of files and notes do not."""
    try:
        names, _, _, _, width = _head(path)
    except ValueError:
        return False
    return names is not None or width in (PTS if str(path).lower().endswith(".pts") else PLAIN)


def _head(path):
    """Names of the columns or None, lines before the points, separator, count or None, and columns of the first point.

    ValueError where there is no point.
    """
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        lines = file.read(HEAD).splitlines()
    names, count = None, None
    for number, line in enumerate(lines):
        words = _split(line)
        if not words:
            continue
        if _are_names(words):
            names = words
        elif line.lstrip().startswith(COMMENTS):
            continue
        elif all(map(_is_number, words)):
            if len(words) > 1 or len(lines) == number + 1:
                return _unless_short(names, number, _delimiter(line), count, len(words), line)
            count = int(float(words[0]))
        else:
            raise UserError(f"line {number + 1}: found {_short(line)}, expected numbers or names of columns, x y z ...")
    raise UserError("no line of numbers; expected a point a line, x y z ...")


def _unless_short(names, number, delimiter, count, width, line):
    if width < 3:
        decimal = "; decimal commas are not read, write points" if delimiter == ";" or "," in line else ""
        raise UserError(f"line {number + 1}: found {_short(line)}, expected x y z{decimal}")
    return names, number, delimiter, count, width


def _are_names(words):
    """Whether a line names the columns of coordinates."""
    return {"x", "y", "z"} <= {plain(word) for word in words}


def _split(line):
    """Words of a line, also of a comment, without quotes."""
    text = line.strip().lstrip("#/").replace('"', "").strip()
    delimiter = _delimiter(text)
    return [word.strip() for word in text.split(delimiter)] if text else []


def _delimiter(line):
    """The separator of a line, None for spaces and tabs."""
    return next((mark for mark in ";," if mark in line), None)


def _is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


def _bad_line(path, skipped, delimiter, width):
    """The error that names the first line that is no row of `width` numbers."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = re.split("#|//", line)[0].strip()
            if number <= skipped or not text:
                continue
            words = text.split(delimiter)
            if len(words) != width or not all(map(_is_number, words)):
                return UserError(
                    f"line {number}: found {_short(line)}, expected {width} numbers as in line {skipped + 1}"
                )
    return UserError("text that is no UTF-8; save it as plain text")


def _short(line):
    text = line.strip()
    return repr(text if len(text) <= 40 else f"{text[:40]} ...")

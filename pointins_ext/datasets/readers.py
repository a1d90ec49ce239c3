"""Scan files to scene dicts, and back to .ply.

A scene has coord (N, 3) float32, coord_shift (3,) float64 with `coord + coord_shift` = the file's coordinates, and
where the file has them: color (N, 3) float32 0..255, normal (N, 3) unit or 0 where a point has none, strength (N, 1)
0..1, segment, instance (N,) int32, -1 = none. Where points of the file were left out, kept (M,) bool is False at them.
"""

import io
import re
from pathlib import Path

import numpy as np
import plyfile

from pointins_ext.datasets.columns import columns_of, is_known
from pointins_ext.datasets.e57 import read_e57
from pointins_ext.datasets.strides import float_columns
from pointins_ext.datasets.text import TEXT, read_text
from pointins_ext.datasets.values import as_scene
from pointins_ext.errors import UserError, notice
from pointins_ext.files import whole_file

FOREIGN = {  # how files begin that are something else than their name says
    b"version https://git-lfs": "a pointer of Git LFS instead of the file: git lfs pull",
    b"<!DOCTYPE": "a web page instead of the file: download it again",
    b"<html": "a web page instead of the file: download it again",
    b"\x1f\x8b": "compressed by gzip: unpack it first",
}


class _Unreadable(ValueError):
    """Says the cause and the cure, but not the file."""


def read_scan(path):
    """Scene dict of a scan file, or of a scene folder with coord.npy.

    .ply .pcd .las .laz .e57; text, see `read_text`; .npz with the keys above; .npy with 3 (xyz), 4 (+ strength), 6 (+
    color or normal) or 9 (both) columns; .bin float32 x y z strength (KITTI), .pcd.bin x y z strength ring (nuScenes);
    extra columns by the names in use. Ranges, placeholders and missing points: see `as_scene`; what is guessed is said
    as a ScanWarning. Coordinates beyond 1 km are centered in float64 first. Errors name the file: FileNotFoundError,
    ValueError for an unreadable or an unfit scan; ImportError where the format's library is missing.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    suffix = path.suffix.lower()
    if not path.is_dir() and suffix not in READERS:
        raise UserError(
            f"{path}: unknown format {path.suffix!r}, expected one of {' '.join(READERS)} or a scene folder; "
            "convert it, or np.savez('scan.npz', coord=..., color=...)"
        )
    data = _read(path, _read_folder if path.is_dir() else READERS[suffix])
    if suffix == ".bin" and not path.is_dir():
        columns = float_columns(data, path, 5 if path.name.lower().endswith(".pcd.bin") else 4)
    else:
        columns = columns_of(data, path)
    return as_scene(columns, path)


def _read(path, reader):
    """What the reader of a format finds in a file. Every library fails on a broken file in its own way."""
    try:
        if path.is_file():
            _require_content(path)
        return reader(path)
    except (ImportError, OSError, MemoryError):
        raise
    except (_Unreadable, UserError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read: {reason}; is the file complete? export it again") from error


def _require_content(path):
    with open(path, "rb") as file:
        start = file.read(32)
    if not start:
        raise _Unreadable("it is empty (0 bytes): copy or export it again")
    for mark, what in FOREIGN.items():
        if start.startswith(mark):
            raise _Unreadable(f"it is {what}")


def write_ply(path, coord, color=None, comment=None, **scalar_fields):
    """Binary .ply of coord (N, 3), color (N, 3) 0..255 and any 1-D fields (N,); the file appears only when complete.

    comment: a line of its header. float64 coordinates stay double, other reals become float, integers int. ValueError
    for unequal lengths.
    """
    coord = np.asarray(coord)
    columns = dict(zip("xyz", coord.astype("<f8" if coord.dtype == np.float64 else "<f4").T, strict=True))
    if color is not None:
        rgb = np.clip(np.rint(color), 0, 255).astype("u1")
        columns.update(zip(("red", "green", "blue"), rgb.T, strict=True))
    for name, value in scalar_fields.items():
        value = np.asarray(value)
        columns[name] = value.astype("<f4" if value.dtype.kind == "f" else "<i4")
    wrong = {name: value.shape for name, value in columns.items() if value.shape != (len(coord),)}
    if wrong:
        raise UserError(f"{path}: fields of shape {wrong}, expected ({len(coord)},) like the coordinates")
    table = np.empty(len(coord), [(name, value.dtype) for name, value in columns.items()])
    for name, value in columns.items():
        table[name] = value
    kinds = {"f8": "double", "f4": "float", "i4": "int", "u1": "uchar"}
    properties = "".join(f"property {kinds[value.dtype.str[1:]]} {name}\n" for name, value in columns.items())
    note = f"comment {comment}\n" if comment else ""
    header = f"ply\nformat binary_little_endian 1.0\n{note}element vertex {len(coord)}\n{properties}end_header\n"
    with whole_file(path) as file:
        file.write(header.encode() + table.tobytes())


def _read_numpy(path):
    """np.load, which takes every file that it does not know for a pickle."""
    with open(path, "rb") as file:
        if file.read(2) not in (b"PK", b"\x93N"):
            raise _Unreadable("no file of NumPy arrays; write it with np.save or np.savez")
    try:
        return np.load(path)
    except ValueError as error:
        raise _without_pickles(error) from error


def _without_pickles(error):
    """The error, in other words where it is about objects."""
    if "allow_pickle" not in str(error):
        return error
    return _Unreadable(
        "Object arrays (a pickled dict, or rows of unequal length) are not read; write plain arrays: "
        "np.savez('scan.npz', coord=..., color=...)"
    )


def _read_folder(path):
    files = {file.stem: file for file in sorted(path.glob("*.npy"))}
    return {name: _read(file, _read_numpy) if is_known(name) else None for name, file in files.items()}


def _read_npz(path):
    arrays = _read_numpy(path)
    if isinstance(arrays, np.ndarray):
        raise _Unreadable("a single array; name it .npy")
    with arrays:
        try:
            if arrays.files == ["arr_0"]:  # np.savez(file, table)
                return arrays["arr_0"]
            return {name: arrays[name] if is_known(name) else None for name in arrays.files}
        except ValueError as error:
            raise _without_pickles(error) from error


def _read_npy(path):
    table = _read_numpy(path)
    if not isinstance(table, np.ndarray):
        raise _Unreadable("several arrays; name it .npz")
    return table


def _read_bin(path):
    size = path.stat().st_size
    if size % 4:
        raise _Unreadable(
            f"{size} bytes are no float32 numbers, expected a multiple of 4; is the file complete? export it again"
        )
    return np.fromfile(path, np.float32)


def _read_ply(path):
    elements = plyfile.PlyData.read(_in_ascii(path))
    if "vertex" not in elements:
        raise _Unreadable(f"no element vertex, found {[element.name for element in elements]}; export points")
    vertex = elements["vertex"]
    scalars = [prop.name for prop in vertex.properties if not isinstance(prop, plyfile.PlyListProperty)]
    return {name: np.asarray(vertex[name]) for name in scalars}


def _in_ascii(path):
    """The file for plyfile, which takes no umlaut in a header: its name, or a stream where there is one."""
    with open(path, "rb") as file:
        if file.readline(16).strip() != b"ply":
            raise _Unreadable("expected 'ply' in its first line; it is no .ply file, export it as one")
        while (line := file.readline()) and line.strip() != b"end_header":
            pass
        end = file.tell()
        file.seek(0)
        head = file.read(end)
        if head.isascii():
            return str(path)
        return io.BytesIO(head.decode("utf-8", "replace").encode("ascii", "replace") + file.read())


def _read_pcd(path):
    pypcd4 = _library("pypcd4", "pcd")
    cloud = pypcd4.PointCloud.from_fileobj(_plain_pcd(path))
    fields = {}
    for name in cloud.pc_data.dtype.names:
        fields.setdefault(re.sub(r"__\d{4}$", "", name), []).append(cloud.pc_data[name])
    fields = {name: value[0] if len(value) == 1 else np.stack(value, axis=1) for name, value in fields.items()}
    for name in ("rgb", "rgba"):
        if name in fields and fields[name].ndim == 1:
            fields["rgb"] = _unpacked(fields.pop(name))
    return fields


def _plain_pcd(path):
    """The file for pypcd4: a header without comments, with all entries, with a name of its own for each field.

    PCL calls padding `_`, several times over; old writers leave out VERSION, COUNT or POINTS.
    """
    content = path.read_bytes()
    data = re.search(rb"^DATA[ \t]+(\w+)[ \t]*\r?\n", content, re.MULTILINE)
    if data is None:
        raise _Unreadable("no line DATA; it is no .pcd file, export it as one")
    lines = content[: data.start()].decode("latin-1").splitlines()
    head = {line.split()[0]: line.split()[1:] for line in lines if line.split() and not line.startswith("#")}
    missing = {"FIELDS", "SIZE", "TYPE", "WIDTH"} - head.keys()
    if missing:
        raise _Unreadable(f"its header has no {', '.join(sorted(missing))}; export it again")
    names = [re.sub(r"\W", "_", name) for name in head["FIELDS"]]
    head["FIELDS"] = [name if names.count(name) == 1 and name != "_" else f"padding{i}" for i, name in enumerate(names)]
    head["VERSION"] = ["0.7"]
    head.setdefault("COUNT", ["1"] * len(names))
    head.setdefault("HEIGHT", ["1"])
    points = int(head.setdefault("POINTS", [str(int(head["WIDTH"][0]) * int(head["HEIGHT"][0]))])[0])
    body, size = content[data.end() :], sum(int(s) * int(c) for s, c in zip(head["SIZE"], head["COUNT"], strict=True))
    if data[1] == b"ascii":
        rows = [b" ".join(line.split()) for line in body.splitlines() if line.strip()]
        found, body = len(rows), b"\n".join(rows[:points]) + b"\n"
    else:
        found = len(body) // size if data[1] == b"binary" else points
    if found < points:
        raise _Unreadable(f"{found} of {points} points are there; is the file complete? export it again")
    header = "".join(f"{key} {' '.join(values)}\n" for key, values in head.items())
    return io.BytesIO(header.encode("latin-1") + b"DATA " + data[1] + b"\n" + body)


def _unpacked(rgb):
    """(N, 3) uint8 of colors that PCL packs into the bits of one number."""
    bits = rgb.astype(np.float32).view(np.uint32) if rgb.dtype.kind == "f" else rgb.astype(np.int64)
    return np.stack([(bits >> shift) & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)


def _read_las(path):
    laspy = _library("laspy", "las")
    with laspy.open(path) as file:
        if file.header.are_points_compressed and not laspy.LazBackend.detect_available():
            raise ImportError(f"{path}: reading .laz needs lazrs: pip install 'pointins_ext[scans]'")
    las = laspy.read(path)
    if len(las.points) != las.header.point_count:
        raise ValueError(f"{len(las.points)} of {las.header.point_count} points are there")
    # X, Y, Z are the integers behind the coordinates
    names = [name for name in las.point_format.dimension_names if name not in ("X", "Y", "Z") and is_known(name)]
    fields = {name: np.asarray(las[name]) for name in names}
    return {"coord": np.asarray(las.xyz, np.float64)} | _filled(fields, path)


def _filled(fields, path):
    """The fields of a .las file without those that the format demands and the writer had nothing for."""
    rgb = ("red", "green", "blue")
    if all(name in fields and not fields[name].any() for name in rgb):
        fields = {name: value for name, value in fields.items() if name not in rgb}
    if "intensity" in fields and not fields["intensity"].any():
        del fields["intensity"]
    classes = np.unique(fields.get("classification", []))
    if len(classes) and classes.max() <= 1:  # never classified, unclassified
        del fields["classification"]
        if len(classes) == 2:
            notice(
                "classification",
                f"{path}: classification is 0 or 1, which in LAS is never classified or unclassified: no labels; to "
                "overrule, write them as a field segment in extra bytes",
            )
    return fields


def _library(name, suffix):
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"reading .{suffix} needs {name}: pip install 'pointins_ext[scans]'") from error


READERS = {
    ".ply": _read_ply,
    ".pcd": _read_pcd,
    ".las": _read_las,
    ".laz": _read_las,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".bin": _read_bin,
    ".e57": read_e57,
    **dict.fromkeys(TEXT, read_text),
}

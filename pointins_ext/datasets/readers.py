"""Scan files to scene dicts, and back to .ply.

A scene has coord (N, 3) float32, coord_shift (3,) float64 with `coord + coord_shift` = the file's coordinates, and
where the file has them: color (N, 3) float32 0..255, normal (N, 3) unit, strength (N, 1), segment, instance (N,) int32.
"""

from pathlib import Path

import numpy as np

from pointins_ext.files import whole_file

MIN_POINTS = 10
LARGE_COORDINATE = 1000.0  # float32 resolves 0.06 mm at 1 km, but only 0.5 m at a UTM northing
NPY_COLUMNS = {3: ("coord",), 4: ("coord", "strength"), 6: ("coord", "color"), 9: ("coord", "color", "normal")}
KEYS = ("coord", "color", "normal", "strength", "segment", "instance")
WIDTH = dict(coord=3, color=3, normal=3, strength=1)
ALIASES = dict(
    coord=("points", "xyz", "pos"),
    color=("colors", "colour", "rgb"),
    normal=("normals",),
    strength=("intensity", "reflectance"),
    segment=("label", "labels", "semantic"),
    instance=("instance_id", "instances"),
)
TRIPLES = dict(
    coord=(("x", "y", "z"),),
    color=(("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")),
    normal=(("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z")),
)


def read_scan(path, check=True):
    """Scene dict of a scan file, or of a scene folder with coord.npy.

    .ply .pcd .las .laz; .npz with the keys above; .npy with 3 (xyz), 4 (+ strength), 6 (+ color) or 9 (+ color, normal)
    columns; .bin float32 x y z strength (KITTI), .pcd.bin x y z strength ring (nuScenes, strength 0..255).
    Coordinates beyond 1 km are centred in float64 first. Errors name the file: FileNotFoundError, ValueError for an
    unreadable or (with `check`) an unfit scan, see `check_scan`; ImportError where the format's library is missing.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    reader = _read_folder if path.is_dir() else READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: unknown format {path.suffix!r}, expected one of {' '.join(READERS)} or a scene folder"
        )
    try:
        scene = reader(path)
    except (ImportError, OSError, MemoryError):
        raise
    except Exception as error:  # every library fails on a broken file in its own way; the user needs the file's name
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: cannot be read: {reason}; is the file complete? export it again") from error
    if check or "coord" not in scene:
        check_scan(scene, path)
    return _convert(scene)


def check_scan(scene, source):
    """ValueError naming `source` where a scan has no use: shapes, unequal lengths, fewer than 10 points, NaN or Inf."""
    if "coord" not in scene:
        raise ValueError(f"{source}: no coordinates, found {sorted(scene)}; expected x y z, or an array named coord")
    number = (*np.shape(scene["coord"]), 0)[0]
    for key in (key for key in KEYS if key in scene):
        shape, width = np.shape(scene[key]), WIDTH.get(key, 1)
        if shape[1:] != (width,) and not (width == 1 and len(shape) == 1):
            raise ValueError(f"{source}: {key} has shape {shape}, expected (N, {width})")
        if np.asarray(scene[key]).dtype.kind not in "fiub":
            raise ValueError(f"{source}: {key} holds {np.asarray(scene[key]).dtype}, expected numbers")
        if shape[0] != number:
            raise ValueError(
                f"{source}: {key} has {shape[0]} rows, expected {number} as coord; write both from the same points"
            )
    if number < MIN_POINTS:
        raise ValueError(f"{source}: {number} points, expected at least {MIN_POINTS}; remove this scan")
    for key in (key for key in WIDTH if key in scene):
        bad = number - int(np.isfinite(np.asarray(scene[key]).reshape(number, -1)).all(axis=1).sum())
        if bad:
            raise ValueError(
                f"{source}: {bad} of {number} points have NaN or Inf in {key}, expected finite numbers; drop these "
                f"points: scene = read_scan(path, check=False); keep = np.isfinite(scene['{key}']).all(axis=1)"
            )


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
        raise ValueError(f"{path}: fields of shape {wrong}, expected ({len(coord)},) like the coordinates")
    table = np.empty(len(coord), [(name, value.dtype) for name, value in columns.items()])
    for name, value in columns.items():
        table[name] = value
    kinds = {"f8": "double", "f4": "float", "i4": "int", "u1": "uchar"}
    properties = "".join(f"property {kinds[value.dtype.str[1:]]} {name}\n" for name, value in columns.items())
    note = f"comment {comment}\n" if comment else ""
    header = f"ply\nformat binary_little_endian 1.0\n{note}element vertex {len(coord)}\n{properties}end_header\n"
    with whole_file(path) as file:
        file.write(header.encode() + table.tobytes())


def _load(path):
    """np.load, which takes every file that it does not know for a pickle."""
    with open(path, "rb") as file:
        if file.read(2) not in (b"PK", b"\x93N"):
            raise ValueError("no file of NumPy arrays")
    return np.load(path)


def _read_folder(path):
    files = {file.stem: file for file in sorted(path.glob("*.npy"))}
    return {key: _load(files[key]) for key in KEYS if key in files}


def _read_npz(path):
    with _load(path) as arrays:
        return _from_fields(arrays)


def _read_npy(path):
    table = _load(path)
    if table.ndim != 2 or table.shape[1] not in NPY_COLUMNS:
        raise ValueError(f"array of shape {table.shape}, expected (N, C) with C in {sorted(NPY_COLUMNS)}")
    keys = NPY_COLUMNS[table.shape[1]]
    return dict(zip(keys, np.split(table, np.cumsum([WIDTH[key] for key in keys])[:-1], axis=1), strict=True))


def _read_bin(path):
    nuscenes = path.name.lower().endswith(".pcd.bin")
    columns = 5 if nuscenes else 4
    table = np.fromfile(path, np.float32)
    if table.size % columns:
        raise ValueError(f"{table.size} float32 numbers, expected a multiple of {columns}")
    table = table.reshape(-1, columns)
    return dict(coord=table[:, :3], strength=table[:, 3:4] / (255 if nuscenes else 1))


def _read_ply(path):
    plyfile = _library("plyfile", "ply")
    elements = plyfile.PlyData.read(str(path))
    if "vertex" not in elements:
        raise ValueError(f"no element vertex, found {[element.name for element in elements]}")
    vertex = elements["vertex"]
    return _from_fields({prop.name: vertex[prop.name] for prop in vertex.properties})


def _read_pcd(path):
    pypcd4 = _library("pypcd4", "pcd")
    cloud = pypcd4.PointCloud.from_path(path)
    fields = {name: cloud.pc_data[name] for name in cloud.fields}
    for name in ("rgb", "rgba"):
        if name in fields:
            fields["rgb"] = pypcd4.PointCloud.decode_rgb(np.ascontiguousarray(fields.pop(name)))
    return _from_fields(fields)


def _read_las(path):
    las = _library("laspy", "las").read(path)
    names = set(las.point_format.dimension_names)
    scene = dict(coord=np.asarray(las.xyz, np.float64))
    if {"red", "green", "blue"} <= names:
        scene["color"] = np.stack([las.red, las.green, las.blue], axis=1)
    if "intensity" in names:
        scene["strength"] = _unit(np.asarray(las.intensity))
    # writers fill what the sensor lacks with zeros
    return {key: value for key, value in scene.items() if key == "coord" or value.any()}


def _library(name, suffix):
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"reading .{suffix} needs {name}: pip install 'pointins_ext[scans]'") from error


def _from_fields(fields):
    """Scene entries from named columns, under the names that are in use; a `scalar_` prefix is CloudCompare's."""
    fields = {name.lower().removeprefix("scalar_"): fields[name] for name in fields}
    scene = {}
    for key in KEYS:
        for triple in TRIPLES.get(key, ()):
            if all(name in fields for name in triple):
                scene.setdefault(key, np.stack([fields[name] for name in triple], axis=1))
        for name in (key, *ALIASES[key]):
            if name in fields:
                scene.setdefault(key, fields[name])
    return scene


def _unit(value):
    """Integers of 8 or 16 bits (also 8 bits in a 16-bit field) to 0..1; reals as they are."""
    if value.dtype.kind == "f" or not value.size:
        return value
    return value / (255 if value.max() <= 255 else 65535)


def _convert(scene):
    coord = np.asarray(scene["coord"], np.float64)
    finite = coord[np.isfinite(coord).all(axis=1)]
    far = finite.size and np.abs(finite).max() > LARGE_COORDINATE
    shift = np.floor(finite.mean(axis=0)) if far else np.zeros(3)
    result = dict(coord=(coord - shift).astype(np.float32), coord_shift=shift)
    if "color" in scene:
        color = np.asarray(scene["color"])
        as_unit = color.dtype.kind != "f" or not color.size or color.max() <= 1
        result["color"] = (_unit(color) * 255 if as_unit else color).astype(np.float32)
    if "normal" in scene:
        normal = np.asarray(scene["normal"], np.float32)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        result["normal"] = normal / np.where(length > 0, length, 1)
    if "strength" in scene:
        result["strength"] = np.asarray(scene["strength"], np.float32).reshape(-1, 1)
    for key in ("segment", "instance"):
        if key in scene:
            result[key] = np.asarray(scene[key]).reshape(-1).astype(np.int32)
    return result


READERS = {
    ".ply": _read_ply,
    ".pcd": _read_pcd,
    ".las": _read_las,
    ".laz": _read_las,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".bin": _read_bin,
}

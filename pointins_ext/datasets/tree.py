"""The scans in a folder tree: each once, whatever links lead to it, and nothing that only looks like a scan."""

import os
import zipfile
from collections import defaultdict
from pathlib import Path

from pointins_ext.datasets.columns import KEYS
from pointins_ext.datasets.readers import READERS
from pointins_ext.datasets.text import NAME_THEM, TEXT, is_text_scan
from pointins_ext.errors import notice

RESULT = "pointins_ext result"  # comment in the header of a .ply that `pointins segment` writes
HEADER = 4096  # bytes of a .ply in which its header is looked for
# names in the .npz of `pointins segment`, of testers and of the cache of ClusterBoxes: results have no coordinates
RESULT_KEYS = set(
    "instance center offset segment class_names score category stuff box_center box_size box_yaw objects masks "
    "source cluster boxes".split()
)
LABEL_FILES = ("_lidarseg.bin", "_panoptic.npz")  # nuScenes: labels of sweeps, and submissions
ASSETS = {f"{key}.npy" for key in KEYS if key != "coord"}  # parts of a scene folder
FOREIGN = ("__MACOSX",)  # shadows of files in archives of macOS


def find_scans(root):
    """Sorted paths of all scans at or below `root`: scene folders (coord.npy) and files of a known format.

    Links are followed. What several paths lead to is one scan, under its own path where that is below `root`, else
    under the first. Results of this package, hidden files, arrays of a scene without coord.npy, and what else data sets
    keep beside their scans are no scans; a file given as `root` always is. What is left out, or cannot be read, is said
    in a ScanWarning.
    """
    root = Path(root)
    if root.is_file():
        return [str(root)] if root.suffix.lower() in READERS else []
    if not root.is_dir():
        return []
    found, left_out = {}, defaultdict(list)
    for path, real in _candidates(root, left_out):
        why = _no_scan(path)
        if why:
            left_out[why].append(path)
        else:
            found.setdefault(real, path)
    for why, paths in left_out.items():
        more = " ..." if len(paths) > 1 else ""
        notice("what is left out", f"{root}: {len(paths)} left out ({why}): {min(paths)}{more}")
    return sorted(found.values())


def _candidates(root, left_out):
    """(path, real path) of scene folders and files of a known format: first those without a link in their path."""
    linked_folders, linked_files, seen = [str(root)], [], set()
    while linked_folders:
        linked_folders.sort(reverse=True)
        for folder, real, files in _folders(linked_folders.pop(), linked_folders, seen, left_out):
            if any(entry.name == "coord.npy" for entry in files):
                yield folder, real
                continue
            known = [entry for entry in files if Path(entry.name).suffix.lower() in READERS]
            linked_files += [entry.path for entry in known if entry.is_symlink()]
            yield from ((entry.path, os.path.join(real, entry.name)) for entry in known if not entry.is_symlink())
    for path in sorted(linked_files):
        if os.path.exists(path):
            yield path, os.path.realpath(path)
        else:
            left_out["links to nothing"].append(path)


def _folders(start, linked_folders, seen, left_out):
    """(folder, real path, its files) from `start` down, each real folder once: links may lead in circles.

    What links lead to is added to `linked_folders` instead. Below a scene folder nothing is looked for.
    """
    stack = [(start, os.path.realpath(start))]
    while stack:
        folder, real = stack.pop()
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError:
            left_out["no permission to read the folder"].append(folder)
            continue
        entries = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in FOREIGN]
        files = [entry for entry in entries if not _is_folder(entry)]
        yield folder, real, files
        if any(entry.name == "coord.npy" for entry in files):
            continue
        folders = [entry for entry in entries if _is_folder(entry)]
        linked_folders += [entry.path for entry in folders if entry.is_symlink()]
        below = [(entry.path, os.path.join(real, entry.name)) for entry in folders if not entry.is_symlink()]
        stack += reversed(below)


def _is_folder(entry):
    """Also behind a link; a link to itself is none. The listing knows of all that are no links."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _no_scan(path):
    """Why a file of a known format is no scan; None where it is one."""
    name = os.path.basename(path).lower()
    if name in ASSETS:
        return "arrays of a scene without coord.npy"
    if name.endswith(LABEL_FILES):
        return "labels of nuScenes"
    if name.endswith(".bin") and _beside_velodyne(path):
        return "voxel grids of SemanticKITTI"
    if name.endswith(TEXT) and os.path.isfile(path) and not is_text_scan(path):
        return f"text that begins with no point; {NAME_THEM}"
    is_result = {".ply": _is_result_ply, ".npz": _is_result_npz}.get(Path(name).suffix)
    return "results of pointins_ext" if is_result and os.path.isfile(path) and is_result(path) else None


def _beside_velodyne(path):
    """Whether a file lies in the folder voxels of a sequence of SemanticKITTI: grids of bits, named as the scans."""
    folder = os.path.dirname(os.path.abspath(path))
    return os.path.basename(folder) == "voxels" and os.path.isdir(os.path.join(os.path.dirname(folder), "velodyne"))


def _is_result_ply(path):
    """By the comment, or by the fields that were written before there was one."""
    with open(path, "rb") as file:
        lines = file.read(HEADER).split(b"end_header")[0].splitlines()
    fields = {line.split()[-1] for line in lines if line.startswith(b"property ")}
    return f"comment {RESULT}".encode() in lines or {b"instance", b"offset_x", b"offset_y", b"offset_z"} <= fields


def _is_result_npz(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except zipfile.BadZipFile:  # the reader says what is wrong with it
        return False
    return bool(names) and names <= RESULT_KEYS

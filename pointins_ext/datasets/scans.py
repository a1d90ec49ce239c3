"""Any folder of real scans as a dataset: point-cloud files or scene folders, with or without colors and normals."""

import copy
import itertools
import os
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pointins_ext import ops
from pointins_ext.datasets.frame import check_units, check_up
from pointins_ext.datasets.readers import READERS, read_scan
from pointins_ext.datasets.tree import find_scans
from pointins_ext.datasets.values import GRAY
from pointins_ext.errors import UserError
from pointins_ext.host import DATASETS, TRANSFORMS, DefaultDataset, comm, get_root_logger

MAX_CACHED = (200, 2 * 10**9)  # scans, and their bytes on the disk: what memory holds and a start may wait for
NUM_CHECKED = 4  # scans of a folder whose frame and unit are checked at the start: the others come from the same sensor
MAX_NORMAL_POINTS = 200_000  # more are thinned first: some seconds instead of minutes on one core


@DATASETS.register_module()
class ScanDataset(DefaultDataset):
    """Every scan below `data_root`: files that `read_scan` knows and folders with coord.npy, found recursively.

    split: None for all, or the name or names of subfolders of `data_root`. scale: coordinates are multiplied by it, so
    that small things get room size and every metric default keeps its meaning (4 cm cells on a 5 mm grid: 8).
    Missing colors become gray, missing normals are estimated, missing labels are -1. `coord / scale + coord_shift` are
    the file's coordinates: meters, or the unit that `scale` turns into meters, z up; a few scans are checked for both,
    see `frame`.
    cache: True prepares all scans at construction and keeps them in memory, so that forked workers inherit them; False
    reads each whenever it is needed, normals included; None does the first up to 200 scans of 2 GB, else the second.
    FileNotFoundError where there is no scan, at construction; ValueError naming the file that is unfit, see
    `check_scan`, when it is read.
    """

    def __init__(
        self,
        data_root,
        split=None,
        scale=1.0,
        transform=None,
        test_mode=False,
        test_cfg=None,
        cache=None,
        ignore_index=-1,
        loop=1,
    ):
        if not scale > 0:
            raise UserError(f"ScanDataset: scale is {scale}, expected a positive factor")
        self.scale = scale
        super().__init__(
            split=split,
            data_root=data_root,
            transform=transform,
            test_mode=test_mode,
            test_cfg=test_cfg,
            ignore_index=ignore_index,
            loop=loop,
        )
        self.names = self._names()
        self.scenes = {}
        if self._is_small() if cache is None else cache:
            main = comm.is_main_process()
            for path in tqdm(self.data_list, desc="preparing scans", unit="scan", disable=not main):
                self.scenes[path] = prepare_scan(read_scan(path), self.scale)
        elif cache is None:
            get_root_logger().info("ScanDataset: too many scans to keep in memory, each is read when it is needed")
        if comm.is_main_process():
            self._check_frame(transform or ())

    def _is_small(self):
        number, size = MAX_CACHED
        return len(self.data_list) <= number and sum(map(_disk_size, self.data_list)) <= size

    def _check_frame(self, transform):
        """Says what is wrong with axes and unit of a few scans, once; the voxel is that of the first GridSample."""
        grid = next((step["grid_size"] for step in transform if "grid_size" in step), None)
        for path in self.data_list[:: -(-len(self.data_list) // NUM_CHECKED)]:
            scene = self.scenes.get(path)
            coord = read_scan(path)["coord"] if scene is None else scene["coord"] / np.float32(self.scale)
            fits = grid is None or check_units(coord, grid / self.scale, path)
            if not (check_up(coord, path) and fits):
                return

    def get_data_list(self):
        splits = [self.split] if isinstance(self.split, str) else self.split
        folders = [Path(self.data_root)] if splits is None else [Path(self.data_root, split) for split in splits]
        data_list = {}  # by real paths: a scan that two splits lead to is one
        for folder in folders:
            found = find_scans(folder)
            if not found:
                state = "has no scans" if folder.exists() else "does not exist"
                raise FileNotFoundError(
                    f"{folder} {state}; expected {' '.join(READERS)} files or folders with coord.npy, at any depth; "
                    f"check data_root={str(self.data_root)!r} and split={self.split!r}"
                )
            for path in found:
                data_list.setdefault(os.path.realpath(path), path)
        return list(data_list.values())

    def get_data(self, idx):
        path = self.data_list[idx % len(self.data_list)]
        scene = self.scenes[path] if path in self.scenes else prepare_scan(read_scan(path), self.scale)
        # Pointcept's transforms write into the arrays that they are given
        scene = {key: copy.copy(value) for key, value in scene.items()}
        return dict(scene, name=self.get_data_name(idx), split=self.get_split_name(idx))

    def get_data_name(self, idx):
        return self.names[idx % len(self.data_list)]

    def get_split_name(self, idx):
        return Path(self.data_list[idx % len(self.data_list)]).parent.name

    def _names(self):
        """Paths below the root, joined by "_", without the suffix where that leaves them distinct, else numbered."""
        full = ["_".join(self._relative(path).parts) for path in self.data_list]
        short = [
            name if Path(path).is_dir() else Path(name).stem for name, path in zip(full, self.data_list, strict=True)
        ]
        count = Counter(short)
        names = [brief if count[brief] == 1 else name for brief, name in zip(short, full, strict=True)]
        return _distinct(names)

    def _relative(self, path):
        path, root = Path(path), Path(self.data_root)
        return Path(path.resolve().name) if path == root else path.relative_to(root)


@TRANSFORMS.register_module()
class ObjectSegment:
    """Two classes for scans that know instances alone: `segment` 1 on objects, 0 elsewhere.

    ValueError for a scan without any instance.
    """

    def __call__(self, data_dict):
        if not np.any(data_dict["instance"] >= 0):
            raise UserError(
                f"scan {data_dict.get('name')}: no instance label; add instance.npy (or the file's instance column), "
                "ids from 0 on objects and -1 elsewhere"
            )
        return dict(data_dict, segment=(data_dict["instance"] >= 0).astype(np.int32))


def _distinct(names):
    """Names as they are, the second of one name with ".2" and so on: a/b_c.ply and a_b/c.ply are both a_b_c."""
    taken, seen, result = set(names), set(), []
    for name in names:
        if name in seen:
            name = next(other for n in itertools.count(2) if (other := f"{name}.{n}") not in taken)
        seen.add(name)
        taken.add(name)
        result.append(name)
    return result


def _disk_size(path):
    """Bytes of a scan file, or of the arrays of a scene folder."""
    return (
        sum(file.stat().st_size for file in Path(path).glob("*.npy")) if os.path.isdir(path) else os.stat(path).st_size
    )


def prepare_scan(scene, scale=1.0):
    """A scene from `read_scan` with scaled coordinates and every key that training reads: color, normal, labels.

    `normal_estimated` is there, and True, where the scan has not all normals itself.
    """
    scene = dict(scene, coord=scene["coord"] * np.float32(scale))
    number = len(scene["coord"])
    if "color" not in scene:
        scene["color"] = np.full((number, 3), GRAY, np.float32)
    none = ~scene["normal"].any(axis=1) if "normal" in scene else np.ones(number, bool)
    if none.any():
        normal = scene.get("normal", np.zeros((number, 3), np.float32))
        scene["normal"] = np.where(none[:, None], scan_normals(scene["coord"]), normal)
        scene["normal_estimated"] = np.array(True)
    for key in ("segment", "instance"):
        scene.setdefault(key, np.full(number, -1, np.int32))
    return scene


def scan_normals(coord, max_points=MAX_NORMAL_POINTS):
    """Unit normals (N, 3) float32 of coord (N, 3); above `max_points` those of the cell's representative point.

    The cells start at 1/2000 of the scan's extent and double until at most `max_points` are occupied.
    """
    index, inverse = np.arange(len(coord)), slice(None)
    low, cell = coord.min(axis=0), max(float(np.ptp(coord, axis=0).max()), 1e-6) / 2000
    while len(index) > max_points:
        key = np.ravel_multi_index(((coord - low) / cell).astype(np.int64).T, (2**20,) * 3)
        _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
        cell *= 2
    normal = ops.estimate_normals(torch.from_numpy(coord[index]))
    return normal.numpy()[inverse].astype(np.float32)

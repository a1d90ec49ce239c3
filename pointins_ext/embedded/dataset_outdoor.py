"""Driving datasets in the layouts that Pointcept reads: one sweep, or one frame of it, is a scene."""

from pathlib import Path

import numpy as np

from pointins_ext.embedded import plain_pickle
from pointins_ext.embedded.dataset import DefaultDataset
from pointins_ext.embedded.label_maps import (
    KITTI,
    KITTI_IGNORED,
    NUSCENES,
    NUSCENES_IGNORED,
    label_table,
    to_classes,
)
from pointins_ext.embedded.registry import DATASETS
from pointins_ext.errors import UserError

KITTI_SEQUENCES = dict(train=(*range(8), 9, 10), val=(8,), test=range(11, 22))


@DATASETS.register_module()
class NuScenesDataset(DefaultDataset):
    """nuScenes with lidarseg: sweeps that `data_root/info/nuscenes_infos_{sweeps}sweeps_{split}.pkl` lists.

    Paths in it are relative to `data_root/raw`. `strength` is 0..1, `segment` one of 16 classes; names are tokens. Of
    the info files only plain data and arrays are read: a file with anything else is refused.
    """

    SOURCE = (
        "make the info files with Pointcept's pointcept/datasets/preprocessing/nuscenes/preprocess_nuscenes_info.py "
        "and link the nuScenes download to data_root/raw"
    )

    def __init__(self, sweeps=10, ignore_index=-1, **kwargs):
        self.sweeps = sweeps
        self.table = label_table(NUSCENES, NUSCENES_IGNORED, ignore_index)
        super().__init__(ignore_index=ignore_index, **kwargs)

    def get_data_list(self):
        """Infos, dicts with at least lidar_path and lidar_token."""
        infos = []
        for split in [self.split] if isinstance(self.split, str) else self.split:
            path = Path(self.data_root, "info", f"nuscenes_infos_{self.sweeps}sweeps_{split}.pkl")
            if not path.is_file():
                raise self.missing(path, "this file")
            infos += plain_pickle.read(path)
        return infos

    def load(self, idx, info):
        path = Path(self.data_root, "raw", info["lidar_path"])
        if not path.is_file():
            raise self.missing(path, "the sweep that the info file names")
        points = _read_points(path, columns=5)
        scene = dict(coord=points[:, :3].copy(), strength=points[:, 3:4] / 255)
        return dict(scene, **self.labels(idx, len(points)), name=self.get_data_name(idx))

    def labels(self, idx, number):
        """Label arrays (`number`,) of a sweep."""
        info = self.data_list[idx % len(self.data_list)]
        if "gt_segment_path" not in info:
            return dict(segment=np.full(number, self.ignore_index, np.int64))
        path = Path(self.data_root, "raw", info["gt_segment_path"])
        if not path.is_file():
            raise self.missing(path, "the lidarseg labels that the info file names")
        return dict(segment=to_classes(_read_labels(path, np.uint8, number), self.table, path))

    def get_data_name(self, idx):
        return self.data_list[idx % len(self.data_list)]["lidar_token"]


@DATASETS.register_module()
class SemanticKITTIDataset(DefaultDataset):
    """SemanticKITTI: `data_root/dataset/sequences/00/{velodyne/*.bin,labels/*.label}`; names are "00_000000".

    `segment` is one of 19 classes, `ignore_index` where a sweep has no label file, as in the test sequences.
    """

    SOURCE = "link the SemanticKITTI download to data_root"

    def __init__(self, ignore_index=-1, **kwargs):
        self.table = label_table(KITTI, KITTI_IGNORED, ignore_index)
        super().__init__(ignore_index=ignore_index, **kwargs)

    def get_data_list(self):
        """Paths of the sweeps, in the order of their sequences."""
        sweeps = []
        for split in [self.split] if isinstance(self.split, str) else self.split:
            if split not in KITTI_SEQUENCES:
                raise UserError(f"SemanticKITTI has no split {split!r}; expected one of {', '.join(KITTI_SEQUENCES)}")
            for sequence in KITTI_SEQUENCES[split]:
                folder = Path(self.data_root, "dataset", "sequences", f"{sequence:02d}", "velodyne")
                found = sorted(map(str, folder.glob("*.bin")))
                if not found:
                    raise self.missing(folder, "*.bin files there")
                sweeps += found
        return sweeps

    def load(self, idx, path):
        points = _read_points(path, columns=4)
        scene = dict(coord=points[:, :3].copy(), strength=points[:, 3:].copy())
        return dict(scene, **self.labels(idx, len(points)), name=self.get_data_name(idx))

    def labels(self, idx, number):
        """Label arrays (`number`,) of a sweep."""
        sweep = Path(self.data_list[idx % len(self.data_list)])
        path = sweep.parent.parent / "labels" / f"{sweep.stem}.label"
        if not path.is_file():
            return dict(segment=np.full(number, self.ignore_index, np.int32))
        raw = _read_labels(path, np.uint32, number)
        return dict(segment=to_classes(raw & 0xFFFF, self.table, path).astype(np.int32))  # above: instance ids

    def get_data_name(self, idx):
        sweep = Path(self.data_list[idx % len(self.data_list)])
        return f"{sweep.parent.parent.name}_{sweep.stem}"


@DATASETS.register_module()
class WaymoDataset(DefaultDataset):
    """Waymo: `data_root/{training,validation,testing}/<sequence>/<time>/*.npy`; names are "<sequence>_<time>".

    `timestamp`: frames joined to one scene, relative to its own, in its frame; those beyond the sequence are left out.
    Without `reference_label` the labels of the others are ignored; `timing_embedding` appends to their strength its
    number of the frame.
    """

    SCENES = "*/*"
    SOURCE = (
        "make them with Pointcept's pointcept/datasets/preprocessing/waymo/preprocess_waymo.py and link the result "
        "to data_root"
    )

    def __init__(self, timestamp=(0,), reference_label=True, timing_embedding=False, **kwargs):
        if timestamp[0] != 0:
            raise UserError(f"WaymoDataset: timestamp is {tuple(timestamp)}; expected the frame itself, 0, first")
        self.timestamp = tuple(timestamp)
        self.reference_label = reference_label
        self.timing_embedding = timing_embedding
        super().__init__(**kwargs)

    def get_data_list(self):
        return sorted(super().get_data_list())

    def load(self, idx, path):
        scene = super().load(idx, path)
        if self.timestamp == (0,):
            return scene
        frames = [self.frame(scene, idx, step) for step in self.timestamp if self.in_sequence(idx, step)]
        joined = {key: np.concatenate([frame[key] for frame in frames]) for key in frames[0]}
        return dict(joined, name=scene["name"], split=scene["split"])

    def in_sequence(self, idx, step):
        own = idx % len(self.data_list)
        if not 0 <= own + step < len(self.data_list):
            return False
        return Path(self.data_list[own]).parent == Path(self.data_list[own + step]).parent

    def frame(self, scene, idx, step):
        """Per-point arrays of the frame `step` after `scene`, in the frame of `scene`."""
        other = idx % len(self.data_list) + step
        frame = scene if step == 0 else super().load(other, self.data_list[other])
        arrays = {key: frame[key] for key in ("coord", "strength", "segment", "instance") if key in frame}
        if step != 0:
            arrays["coord"] = _move(frame["coord"], np.linalg.inv(scene["pose"]) @ frame["pose"])
        if step != 0 and not self.reference_label:
            arrays["segment"] = np.full_like(frame["segment"], self.ignore_index)
        if self.timing_embedding:
            arrays["strength"] = np.hstack([frame["strength"], np.full_like(frame["strength"], step)])
        return arrays

    def get_data_name(self, idx):
        frame = Path(self.data_list[idx % len(self.data_list)])
        return f"{frame.parent.name}_{frame.name}"


def _move(coord, pose):
    return (coord @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)


def _read_points(path, columns):
    table = np.fromfile(path, np.float32)
    if table.size % columns:
        raise UserError(
            f"{path}: {table.size} float32 numbers, expected a multiple of {columns}; the file is cut, copy it again"
        )
    return table.reshape(-1, columns)


def _read_labels(path, dtype, number):
    labels = np.fromfile(path, dtype)
    if len(labels) != number:
        raise UserError(
            f"{path}: {len(labels)} labels, expected {number} as points of the sweep; copy both from the same release"
        )
    return labels

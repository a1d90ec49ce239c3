"""Datasets of scene folders and how scenes become a packed batch."""

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from pointins_ext.embedded.logger import get_root_logger
from pointins_ext.embedded.registry import DATASETS, TRANSFORMS, build_dataset
from pointins_ext.embedded.transform import Compose
from pointins_ext.errors import UserError, UserKeyError

FLOAT_ASSETS = ("coord", "color", "normal", "strength")
LABEL_ASSETS = ("segment", "instance")


@DATASETS.register_module()
class DefaultDataset(Dataset):
    """Scenes as folders `data_root/split/scene/*.npy`; `split` is a name, a list of names, or a json list of scenes.

    A scene needs coord.npy (N, 3), meters; color (N, 3) 0..255, normal (N, 3), strength (N, 1), segment (N,) and
    instance (N,) are optional, missing labels become -1. `cache` keeps loaded scenes in memory. With `test_mode` a
    sample holds `fragment_list`, made by `test_cfg` (voxelize, crop, post_transform, aug_transform), and the labels.
    FileNotFoundError where a split has no scenes.
    """

    VALID_ASSETS = (*FLOAT_ASSETS, *LABEL_ASSETS, "pose")
    ASSET_KEYS = {}  # asset -> key of the scene dict, where they differ
    SCENES = "*"  # glob of the scene folders within a split
    SOURCE = "check data_root and split"  # where the files of this dataset come from

    def __init__(
        self,
        split="train",
        data_root="data/dataset",
        transform=None,
        test_mode=False,
        test_cfg=None,
        cache=False,
        ignore_index=-1,
        loop=1,
    ):
        self.data_root = data_root
        self.split = split
        self.transform = Compose(transform)
        self.cache = {} if cache else None
        self.ignore_index = ignore_index
        self.loop = 1 if test_mode else loop
        self.test_mode = test_mode
        if test_mode:
            self.test_voxelize = TRANSFORMS.build(test_cfg["voxelize"]) if test_cfg.get("voxelize") else None
            self.test_crop = TRANSFORMS.build(test_cfg["crop"]) if test_cfg.get("crop") else None
            self.post_transform = Compose(test_cfg["post_transform"])
            self.aug_transform = [Compose(steps) for steps in test_cfg["aug_transform"]]
        self.data_list = self.get_data_list()
        get_root_logger().info(
            f"{type(self).__name__}: {len(self.data_list)} scenes x {self.loop} in {data_root}, split {split}"
        )

    def __len__(self):
        return len(self.data_list) * self.loop

    def __getitem__(self, idx):
        return self.prepare_test_data(idx) if self.test_mode else self.prepare_train_data(idx)

    def get_data_list(self):
        """Paths of the scene folders, sorted within a split."""
        data_list = []
        for split in [self.split] if isinstance(self.split, str) else self.split:
            path = Path(self.data_root, split)
            if path.is_file():
                scenes = [str(Path(self.data_root, scene)) for scene in json.loads(path.read_text())]
            else:
                scenes = sorted(str(coord.parent) for coord in path.glob(f"{self.SCENES}/coord.npy"))
            if not scenes:
                raise self.missing(path, f"{split}/{self.SCENES}/coord.npy")
            data_list += scenes
        return data_list

    def missing(self, path, expected):
        """The FileNotFoundError for files that are not at `path`."""
        state = "is empty or incomplete" if Path(path).exists() else "does not exist"
        return FileNotFoundError(
            f"{path} {state}; {type(self).__name__} with data_root={str(self.data_root)!r}, split={self.split!r} "
            f"expects {expected}; {self.SOURCE}"
        )

    def get_data(self, idx):
        """The scene dict of sample `idx`, before any transform; its arrays are shared with the cache."""
        scene = idx % len(self.data_list)
        if self.cache is None:
            return self.load(idx, self.data_list[scene])
        if scene not in self.cache:
            self.cache[scene] = self.load(idx, self.data_list[scene])
        return dict(self.cache[scene])

    def load(self, idx, path):
        """Read the scene that the entry `path` of the data list stands for."""
        found = [file for file in Path(path).glob("*.npy") if file.stem in self.VALID_ASSETS]
        files = {self.ASSET_KEYS.get(file.stem, file.stem): file for file in found}
        if "coord" not in files:
            raise FileNotFoundError(f"{path}: no coord.npy in this scene folder")
        scene = {key: np.load(file) for key, file in sorted(files.items())}
        if len(scene["coord"]) == 0:
            raise UserError(f"{files['coord']}: no point in this scene; take it out of the data, or write it again")
        scene.update({key: scene[key].astype(np.float32) for key in FLOAT_ASSETS if key in scene})
        if "strength" in scene:
            scene["strength"] = scene["strength"].reshape(-1, 1)
        for key in LABEL_ASSETS:
            label = scene.get(key, np.full(len(scene["coord"]), -1))
            scene[key] = label.reshape(-1).astype(np.int32)
        for key in (*FLOAT_ASSETS, *LABEL_ASSETS):
            if key in scene and len(scene[key]) != len(scene["coord"]):
                raise UserError(
                    f"{files[key]}: {len(scene[key])} rows, expected {len(scene['coord'])} as in coord.npy; "
                    "write both again from the same points"
                )
        return dict(scene, name=self.get_data_name(idx), split=self.get_split_name(idx))

    def get_data_name(self, idx):
        return Path(self.data_list[idx % len(self.data_list)]).name

    def get_split_name(self, idx):
        return Path(self.data_list[idx % len(self.data_list)]).parent.name

    def prepare_train_data(self, idx):
        return self.transform(self.get_data(idx))

    def prepare_test_data(self, idx):
        data_dict = self.transform(self.get_data(idx))
        result = dict(segment=data_dict.pop("segment"), name=data_dict.pop("name"))
        if "origin_segment" in data_dict:
            if "inverse" not in data_dict:
                raise UserKeyError(
                    "test transform copies segment to origin_segment: set GridSample(return_inverse=True)"
                )
            result.update(origin_segment=data_dict.pop("origin_segment"), inverse=data_dict.pop("inverse"))
        fragments = []
        for augment in self.aug_transform:
            data = augment(deepcopy(data_dict))
            whole = dict(data, index=np.arange(len(data["coord"])))
            parts = [whole] if self.test_voxelize is None else self.test_voxelize(data)
            for part in parts:
                fragments += [part] if self.test_crop is None else self.test_crop(part)
        return dict(result, fragment_list=[self.post_transform(fragment) for fragment in fragments])


@DATASETS.register_module()
class ConcatDataset(Dataset):
    """Datasets one after the other."""

    def __init__(self, datasets, loop=1):
        self.datasets = [build_dataset(dataset) for dataset in datasets]
        self.loop = loop
        self.data_list = [(dataset, idx) for dataset in self.datasets for idx in range(len(dataset))]

    def __len__(self):
        return len(self.data_list) * self.loop

    def __getitem__(self, idx):
        dataset, data_idx = self.data_list[idx % len(self.data_list)]
        return dataset[data_idx]

    def get_data_name(self, idx):
        dataset, data_idx = self.data_list[idx % len(self.data_list)]
        return dataset.get_data_name(data_idx)


def collate_fn(batch):
    """Pack samples: tensors one after the other along dim 0, strings as a list, numbers as a tensor.

    Keys that contain "offset" are cumulative counts, and stay cumulative over the whole batch.
    """
    first = batch[0]
    if isinstance(first, Mapping):
        return {key: _collate_key(key, [sample[key] for sample in batch]) for key in first}
    if isinstance(first, torch.Tensor):
        return torch.cat(list(batch))
    if isinstance(first, str):
        return list(batch)
    if isinstance(first, list):
        return torch.cat([torch.as_tensor(sample) for sample in batch])
    return default_collate(batch)


def _collate_key(key, values):
    if "offset" not in key:
        return collate_fn(values)
    counts = [value.diff(prepend=value.new_zeros(1)) for value in values]
    return torch.cumsum(torch.cat(counts), dim=0)


def point_collate_fn(batch, mix_prob=0):
    """`collate_fn`; with probability `mix_prob` scenes 2i and 2i+1 become one (Mix3D).

    Instance ids of the second scene of a pair move behind those of the first; `grid_coord` counts from the lowest
    cell of the pair where the batch knows its `grid_size`. ValueError for batches of views.
    """
    batch = collate_fn(batch)
    if random.random() >= mix_prob:
        return batch
    if "global_offset" in batch or "local_offset" in batch:
        raise UserError(f"mix_prob is {mix_prob} in a pretraining batch of views, which cannot be mixed: set it to 0")
    if "instance" in batch:
        batch["instance"] = _mix_instance(batch["instance"], batch["offset"])
    for key in [key for key in batch if "offset" in key]:
        batch[key] = torch.cat([batch[key][1:-1:2], batch[key][-1:]])
    if "grid_coord" in batch and "grid_size" in batch:
        batch["grid_coord"] = _mix_grid_coord(batch["coord"], batch["grid_size"][0], batch["offset"])
    return batch


def _split(tensor, offset):
    return tensor.split(offset.diff(prepend=offset.new_zeros(1)).tolist())


def _mix_instance(instance, offset):
    scenes = list(_split(instance, offset))
    for i in range(1, len(scenes), 2):
        shift = scenes[i - 1].max() + 1 if len(scenes[i - 1]) else 0
        scenes[i] = torch.where(scenes[i] < 0, scenes[i], scenes[i] + shift)
    return torch.cat(scenes)


def _mix_grid_coord(coord, grid_size, offset):
    cell = torch.floor(coord / grid_size).long()
    return torch.cat([part - part.amin(dim=0) for part in _split(cell, offset)])

"""Indoor datasets in the layouts that Pointcept's preprocessing writes: folders of .npy arrays, one for each scene."""

from pathlib import Path

import numpy as np
import torch

from pointins_ext.embedded import plain_pickle
from pointins_ext.embedded.dataset import DefaultDataset
from pointins_ext.embedded.registry import DATASETS
from pointins_ext.errors import UserError

PREPROCESSING = "make them with Pointcept's pointcept/datasets/preprocessing/{} and link the result to data_root"


@DATASETS.register_module()
class ScanNetDataset(DefaultDataset):
    """ScanNet: `data_root/{train,val,test}/scene0000_00/*.npy`, labels of the 20 classes of the benchmark.

    The data-efficient benchmark: `lr_file` lists the training scenes, one name a line; `la_file` (torch.save of {scene:
    indices}) says which points keep their label, and the sample tells them as `sampled_index`.
    """

    VALID_ASSETS = ("coord", "color", "normal", "segment20", "instance")
    ASSET_KEYS = dict(segment20="segment")
    SOURCE = PREPROCESSING.format("scannet/preprocess_scannet.py")

    def __init__(self, lr_file=None, la_file=None, **kwargs):
        self.lr = None if lr_file is None else Path(lr_file).read_text().split()
        self.la = None if la_file is None else _read_indices(la_file)
        super().__init__(**kwargs)

    def get_data_list(self):
        if self.lr is None:
            return super().get_data_list()
        scenes = [Path(self.data_root, "train", name) for name in self.lr]
        for scene in scenes:
            if not (scene / "coord.npy").is_file():
                raise self.missing(scene, "the scene folders that lr_file names")
        return [str(scene) for scene in scenes]

    def load(self, idx, path):
        scene = super().load(idx, path)
        if self.la is None:
            return scene
        if scene["name"] not in self.la:
            raise UserError(f"la_file has no scene {scene['name']!r}, only {len(self.la)} others; check split")
        index, number = self.la[scene["name"]], len(scene["coord"])
        beyond = index[(index < 0) | (index >= number)]
        if len(beyond):
            raise UserError(
                f"la_file names the point {beyond[0]} of {path}, which has {number} points; take that of the "
                "same preprocessing"
            )
        segment = np.full_like(scene["segment"], self.ignore_index)
        segment[index] = scene["segment"][index]
        return dict(scene, segment=segment, sampled_index=index)


@DATASETS.register_module()
class ScanNet200Dataset(ScanNetDataset):
    """ScanNet with the labels of the 200-class benchmark."""

    VALID_ASSETS = ("coord", "color", "normal", "segment200", "instance")
    ASSET_KEYS = dict(segment200="segment")


@DATASETS.register_module()
class S3DISDataset(DefaultDataset):
    """S3DIS: `data_root/Area_1/office_1/*.npy`; splits are areas, names are "Area_1-office_1"."""

    SOURCE = PREPROCESSING.format("s3dis/preprocess_s3dis.py")

    def get_data_name(self, idx):
        room = Path(self.data_list[idx % len(self.data_list)])
        return f"{room.parent.name}-{room.name}"


@DATASETS.register_module()
class Structured3DDataset(DefaultDataset):
    """Structured3D: `data_root/{train,val,test}/scene_00000/room_0/*.npy`; names are "scene_00000_room_0"."""

    SCENES = "scene_*/room_*"
    SOURCE = PREPROCESSING.format("structured3d/preprocess_structured3d.py")

    def get_data_name(self, idx):
        room = Path(self.data_list[idx % len(self.data_list)])
        return f"{room.parent.name}_{room.name}"


def _read_indices(path):
    """{scene: (M,) integers} of a file that torch.save wrote; classes in it are refused, not built."""
    try:
        table = torch.load(path, map_location="cpu", pickle_module=plain_pickle, weights_only=False)
        return {name: np.asarray(index, np.int64) for name, index in table.items()}
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"la_file {path}: {reason}; expected torch.save of {{scene name: point indices}}") from error

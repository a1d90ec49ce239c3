"""Sweeps with instances: the panoptic labels of nuScenes and SemanticKITTI beside what the host's datasets read."""

import json
from pathlib import Path

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.host import DATASETS, NuScenesDataset, SemanticKITTIDataset

NUSCENES_THINGS = range(10)
KITTI_THINGS = range(8)


@DATASETS.register_module()
class NuScenesPanopticDataset(NuScenesDataset):
    """nuScenes with `instance` (N,): 0.. on objects of the ten thing classes, -1 elsewhere.

    Reads `data_root/raw/panoptic/v1.0-trainval/TOKEN_panoptic.npz` of the nuScenes-panoptic download. Points in
    overlapping boxes, 0 there, have no class either: the official metric leaves them out.

    scenes: names of scenes, say ("scene-0392",), or share: 0..1 of the split's scenes, the same ones at every start;
    the sweeps of all others are left out. Sweeps are told apart by `data_root/raw/v1.0-trainval/{sample,scene}.json`.
    FileNotFoundError or ValueError that names the file.
    """

    def __init__(self, scenes=None, share=None, **kwargs):
        if share is not None and not 0 < share <= 1:
            raise UserError(f"NuScenesPanopticDataset: share is {share}, expected a part of 1, above 0")
        self.scenes, self.share = scenes, share
        super().__init__(**kwargs)

    def get_data_list(self):
        infos = super().get_data_list()
        if self.scenes is None and self.share is None:
            return infos
        scene = self._scene_names()
        unknown = [info["lidar_token"] for info in infos if info["token"] not in scene]
        if unknown:
            raise UserError(
                f"{self._table('sample')} knows no sample of sweep {unknown[0]}; use the tables of the sweeps"
            )
        wanted = self.scenes
        if wanted is None:
            names = sorted({scene[info["token"]] for info in infos})
            order = np.random.default_rng(0).permutation(len(names))
            wanted = [names[i] for i in order[: max(1, round(self.share * len(names)))]]
        chosen = [info for info in infos if scene[info["token"]] in set(wanted)]
        if not chosen:
            raise UserError(f"no sweep of split {self.split!r} is of {sorted(wanted)}; check scenes and split")
        return chosen

    def get_data(self, idx):
        scene = super().get_data(idx)
        info = self.data_list[idx % len(self.data_list)]
        number = len(scene["coord"])
        if "gt_segment_path" not in info:
            return dict(scene, instance=np.full(number, -1, np.int32))
        path = Path(self.data_root, "raw", "panoptic", "v1.0-trainval", f"{info['lidar_token']}_panoptic.npz")
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist; download nuScenes-panoptic-v1.0-all and unpack it into {path.parents[2]}"
            )
        label = np.load(path)["data"].reshape(-1).astype(np.int64)
        if len(label) != number:
            raise UserError(f"{path}: {len(label)} labels, expected {number} as points of the sweep; copy both again")
        segment = np.where(label == 0, self.ignore_index, scene["segment"])
        return dict(scene, segment=segment, instance=instances(segment, label % 1000, NUSCENES_THINGS))

    def _scene_names(self):
        """Sample token -> name of its scene."""
        tables = {name: self._table(name) for name in ("sample", "scene")}
        for path in tables.values():
            if not path.is_file():
                raise FileNotFoundError(f"{path} does not exist; scenes= and share= need the tables of v1.0-trainval")
        name = {row["token"]: row["name"] for row in json.loads(tables["scene"].read_text())}
        return {row["token"]: name[row["scene_token"]] for row in json.loads(tables["sample"].read_text())}

    def _table(self, name):
        return Path(self.data_root, "raw", "v1.0-trainval", f"{name}.json")


@DATASETS.register_module()
class SemanticKITTIPanopticDataset(SemanticKITTIDataset):
    """SemanticKITTI with `instance` (N,): 0.. on objects of the eight thing classes, -1 elsewhere.

    Moving classes are folded into the others in `segment`; an object is, as in the official evaluator, what shares the
    whole word of the label, number and unfolded class.
    FileNotFoundError where a sweep of a labeled sequence has no label file; those from 11 on have none.
    """

    def get_data(self, idx):
        scene = super().get_data(idx)
        sweep = Path(self.data_list[idx % len(self.data_list)])
        sequence = sweep.parent.parent
        path = sequence / "labels" / f"{sweep.stem}.label"
        if not path.is_file():
            if int(sequence.name) < 11:
                raise FileNotFoundError(f"{path} does not exist; unpack SemanticKITTI's data_odometry_labels.zip")
            unknown = np.full(len(scene["coord"]), -1, np.int32)
            return dict(scene, segment=np.full_like(scene["segment"], self.ignore_index), instance=unknown)
        label = np.fromfile(path, np.uint32)
        return dict(scene, instance=instances(scene["segment"], np.where(label >> 16, label, 0), KITTI_THINGS))


def instances(segment, number, things):
    """Ids 0.. (N,) int32 of the pairs of class and number above 0 of thing classes, -1 elsewhere."""
    member = np.isin(segment, things) & (number > 0)
    pairs = segment[member].astype(np.int64) * 2**32 + number[member]
    instance = np.full(len(segment), -1, np.int32)
    instance[member] = np.unique(pairs, return_inverse=True)[1]
    return instance

"""What the panoptic datasets of the bound host read: `python read_panoptic.py DATA FILE`.

Reads the folders `nuscenes` and `semantic_kitti` in DATA and writes {case: scenes} to FILE.
"""

import sys
from pathlib import Path

import torch

from pointins_ext.host import build_dataset

CASES = dict(
    nuscenes_train=dict(split="train", loop=2),
    nuscenes_val=dict(split="val", ignore_index=99),
    nuscenes_test=dict(split="test"),
    nuscenes_splits=dict(split=["val", "train"]),
    nuscenes_share=dict(split="train", share=0.5),
    nuscenes_scenes=dict(split=["train", "val"], scenes=("scene-0392", "scene-0003")),
    semantic_kitti_train=dict(split="train", loop=2),
    semantic_kitti_val=dict(split="val", ignore_index=99),
    semantic_kitti_test=dict(split="test"),
    semantic_kitti_splits=dict(split=["val", "train"]),
)


def read(case, folder):
    """The scenes of a case, before any transform."""
    kind, name = ("NuScenes", "nuscenes") if case.startswith("nuscenes") else ("SemanticKITTI", "semantic_kitti")
    dataset = build_dataset(dict(type=f"{kind}PanopticDataset", data_root=str(Path(folder, name)), **CASES[case]))
    return [dataset.get_data(i) for i in range(len(dataset))]


if __name__ == "__main__":
    torch.save({case: read(case, sys.argv[1]) for case in CASES}, sys.argv[2])

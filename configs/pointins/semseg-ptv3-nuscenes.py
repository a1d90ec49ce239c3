"""Semantic segmentation of nuScenes, full fine-tuning."""

_base_ = [
    "_base_/semseg.py",
    "_base_/downstream_outdoor.py",
    "_base_/pipelines_outdoor.py",
    "_base_/labels_nuscenes.py",
]

model = dict(backbone=dict(in_channels=4), num_classes={{_base_.num_classes}})
data = dict(
    train=dict(type="NuScenesDataset", transform={{_base_.semantic.nuscenes}}),
    val=dict(type="NuScenesDataset", transform={{_base_.semantic.nuscenes_val}}),
    test=dict(
        type="NuScenesDataset",
        transform={{_base_.semantic.test}},
        test_mode=True,
        test_cfg={{_base_.semantic.test_cfg}},
    ),
)

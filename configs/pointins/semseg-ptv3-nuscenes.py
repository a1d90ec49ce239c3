"""Semantic segmentation of nuScenes, full fine-tuning."""

_base_ = [
    "_base_/semseg.py",
    "_base_/downstream_outdoor.py",
    "_base_/pipelines_outdoor.py",
    "_base_/labels_nuscenes.py",
]

model = dict(backbone=dict(in_channels=4), num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(type="NuScenesDataset", transform={{_base_._semantic.nuscenes}}),
    val=dict(type="NuScenesDataset", transform={{_base_._semantic.nuscenes_val}}),
    test=dict(
        type="NuScenesDataset",
        transform={{_base_._semantic.test}},
        test_mode=True,
        test_cfg={{_base_._semantic.test_cfg}},
    ),
)

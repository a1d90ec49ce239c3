"""Semantic segmentation of ScanNet200, full fine-tuning."""

_base_ = [
    "_base_/semseg.py",
    "_base_/downstream_indoor.py",
    "_base_/pipelines_indoor.py",
    "_base_/labels_scannet200.py",
]

model = dict(num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(transform={{_base_._semantic.scannet200}}),
    val=dict(transform={{_base_._semantic.scannet200_val}}),
    test=dict(transform={{_base_._semantic.test}}, test_mode=True, test_cfg={{_base_._semantic.test_cfg}}),
)

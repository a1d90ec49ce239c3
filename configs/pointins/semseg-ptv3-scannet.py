"""Semantic segmentation of ScanNet, full fine-tuning."""

_base_ = ["_base_/semseg.py", "_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_scannet.py"]

model = dict(num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(transform={{_base_._semantic.scannet}}),
    val=dict(transform={{_base_._semantic.scannet_val}}),
    test=dict(transform={{_base_._semantic.test}}, test_mode=True, test_cfg={{_base_._semantic.test_cfg}}),
)

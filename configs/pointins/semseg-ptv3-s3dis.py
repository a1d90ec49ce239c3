"""Semantic segmentation of S3DIS (Area 5 for validation), full fine-tuning."""

_base_ = ["_base_/semseg.py", "_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_s3dis.py"]

epoch = 3000

model = dict(num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(transform={{_base_._semantic.s3dis}}),
    val=dict(transform={{_base_._semantic.s3dis_val}}),
    test=dict(transform={{_base_._semantic.s3dis_test}}, test_mode=True, test_cfg={{_base_._semantic.test_cfg}}),
)

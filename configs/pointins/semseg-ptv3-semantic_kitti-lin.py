"""Semantic segmentation of SemanticKITTI, linear probing."""

_base_ = ["semseg-ptv3-semantic_kitti.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

"""Semantic segmentation of ScanNet200, linear probing."""

_base_ = ["semseg-ptv3-scannet200.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

"""Semantic segmentation of S3DIS (Area 5 for validation), linear probing."""

_base_ = ["semseg-ptv3-s3dis.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

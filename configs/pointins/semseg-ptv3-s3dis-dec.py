"""Semantic segmentation of S3DIS (Area 5 for validation), decoder probing."""

_base_ = ["semseg-ptv3-s3dis.py"]

model = dict(backbone=dict(freeze_encoder=True))

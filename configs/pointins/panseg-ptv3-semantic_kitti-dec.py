"""Panoptic segmentation of SemanticKITTI, decoder probing."""

_base_ = ["panseg-ptv3-semantic_kitti.py"]

model = dict(backbone=dict(freeze_encoder=True))

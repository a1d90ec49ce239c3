"""Semantic segmentation of nuScenes, decoder probing."""

_base_ = ["semseg-ptv3-nuscenes.py"]

model = dict(backbone=dict(freeze_encoder=True))

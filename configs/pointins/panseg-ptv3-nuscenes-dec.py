"""Panoptic segmentation of nuScenes, decoder probing."""

_base_ = ["panseg-ptv3-nuscenes.py"]

model = dict(backbone=dict(freeze_encoder=True))

"""Semantic segmentation of ScanNet, decoder probing."""

_base_ = ["semseg-ptv3-scannet.py"]

model = dict(backbone=dict(freeze_encoder=True))

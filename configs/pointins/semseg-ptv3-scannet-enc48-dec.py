"""Semantic segmentation of ScanNet, decoder probing of Sonata's published weights."""

_base_ = ["semseg-ptv3-scannet-enc48.py"]

model = dict(backbone=dict(freeze_encoder=True))

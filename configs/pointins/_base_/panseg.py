"""Panoptic segmentation: classes, and offsets to the centers of things. What is a thing, the experiment says."""

_base_ = ["segmentor.py"]

model = dict(type="PanSeg-v1m1", criteria={{_base_._criteria}})

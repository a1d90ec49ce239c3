"""Instance segmentation of ScanNet200, decoder probing."""

_base_ = ["insseg-ptv3-scannet200.py"]

model = dict(backbone=dict(freeze_encoder=True))

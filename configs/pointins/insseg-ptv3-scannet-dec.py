"""Instance segmentation of ScanNet, decoder probing."""

_base_ = ["insseg-ptv3-scannet.py"]

model = dict(backbone=dict(freeze_encoder=True))

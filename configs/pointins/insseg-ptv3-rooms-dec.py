"""Instance segmentation of procedural rooms at the paper's network size, decoder probing."""

_base_ = ["insseg-ptv3-rooms.py"]

model = dict(backbone=dict(freeze_encoder=True))

"""Instance segmentation of procedural rooms, decoder probing."""

_base_ = ["insseg-rooms.py"]

model = dict(backbone=dict(freeze_encoder=True))

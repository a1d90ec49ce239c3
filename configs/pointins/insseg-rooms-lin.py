"""Instance segmentation of procedural rooms, linear probing."""

_base_ = ["insseg-rooms.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

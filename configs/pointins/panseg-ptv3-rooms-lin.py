"""Semantics and instances of procedural rooms at the paper's network size, linear probing."""

_base_ = ["panseg-ptv3-rooms.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

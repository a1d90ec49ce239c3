"""Semantics and instances of simulated LiDAR sweeps, linear probing."""

_base_ = ["panseg-drives.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

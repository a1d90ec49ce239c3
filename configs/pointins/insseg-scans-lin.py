"""Instances of one's own labeled scans, linear probing."""

_base_ = ["insseg-scans.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

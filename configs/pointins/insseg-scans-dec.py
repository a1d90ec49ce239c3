"""Instances of one's own labelled scans, decoder probing."""

_base_ = ["insseg-scans.py"]

model = dict(backbone=dict(freeze_encoder=True))

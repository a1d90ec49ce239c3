"""Instances of one's own labeled scans, decoder probing."""

_base_ = ["insseg-scans.py"]

model = dict(backbone=dict(freeze_encoder=True))

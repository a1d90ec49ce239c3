"""Semantics and instances of simulated LiDAR sweeps, decoder probing."""

_base_ = ["panseg-drives.py"]

model = dict(backbone=dict(freeze_encoder=True))

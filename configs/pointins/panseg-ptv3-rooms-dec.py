"""Semantics and instances of procedural rooms at the paper's network size, decoder probing."""

_base_ = ["panseg-ptv3-rooms.py"]

model = dict(backbone=dict(freeze_encoder=True))

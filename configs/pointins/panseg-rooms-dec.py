"""Semantics and instances of procedural rooms, decoder probing."""

_base_ = ["panseg-rooms.py"]

model = dict(backbone=dict(freeze_encoder=True))

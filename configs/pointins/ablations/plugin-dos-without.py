"""Plug-in: DOS alone. The offset branch is there, but its loss weighs nothing."""

_base_ = ["../pretrain-dos-ptv3-scannet.py"]

model = dict(offset_loss_weight=0.0)

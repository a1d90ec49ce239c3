"""Plug-in: DOS with the offset branch."""

_base_ = ["../pretrain-dos-ptv3-scannet.py"]

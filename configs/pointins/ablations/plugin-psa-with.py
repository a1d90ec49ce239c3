"""Plug-in: PSA with the offset branch."""

_base_ = ["../pretrain-psa-ptv3-scannet.py"]

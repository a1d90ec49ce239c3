"""Plug-in: Sonata with the offset branch."""

_base_ = ["../pretrain-sonata-ptv3-scannet.py"]

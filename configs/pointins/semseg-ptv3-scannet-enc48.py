"""Semantic segmentation of ScanNet, full fine-tuning of PTv3 of the size of Sonata's published weights."""

_base_ = ["semseg-ptv3-scannet.py"]

model = dict(
    backbone=dict(enc_depths=(3, 3, 3, 12, 3), enc_channels=(48, 96, 192, 384, 512), enc_num_head=(3, 6, 12, 24, 32))
)

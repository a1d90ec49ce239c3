"""Instance segmentation of ScanNet, linear probing of Sonata's published weights."""

_base_ = ["insseg-ptv3-scannet-enc48.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels=48 + 96 + 192 + 384 + 512,
    freeze_backbone=True,
)

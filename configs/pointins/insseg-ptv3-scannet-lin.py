"""Instance segmentation of ScanNet, linear probing."""

_base_ = ["insseg-ptv3-scannet.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels={{_base_._enc_out_channels}},
    freeze_backbone=True,
)

"""Instance segmentation of ScanNet with LitePT-S, linear probing."""

_base_ = ["insseg-litept-scannet.py"]

model = dict(
    backbone=dict(enc_mode=True),
    backbone_out_channels=36 + 72 + 144 + 252 + 504,
    freeze_backbone=True,
)

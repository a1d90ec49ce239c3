"""Panoptic segmentation of nuScenes with LitePT-S, full fine-tuning."""

_base_ = ["panseg-ptv3-nuscenes.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="LitePT-v1",
        in_channels=4,
        stride=(2, 2, 2, 2),
        enc_depths=(2, 2, 2, 6, 2),
        enc_channels=(36, 72, 144, 252, 504),
        enc_num_head=(2, 4, 8, 14, 28),
        enc_conv=(True, True, True, False, False),
        enc_attn=(False, False, False, True, True),
        dec_depths=(0, 0, 0, 0),
        dec_channels=(72, 72, 144, 252),
        drop_path=0.3,
        enc_mode=False,
    ),
    backbone_out_channels=72,
)

"""Instance segmentation of ScanNet with LitePT-S, full fine-tuning, with blocks in its decoder as published."""

_base_ = ["insseg-ptv3-scannet.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="LitePT-v1",
        in_channels=9,
        stride=(2, 2, 2, 2),
        enc_depths=(2, 2, 2, 6, 2),
        enc_channels=(36, 72, 144, 252, 504),
        enc_num_head=(2, 4, 8, 14, 28),
        enc_conv=(True, True, True, False, False),
        enc_attn=(False, False, False, True, True),
        dec_depths=(2, 2, 2, 2),
        dec_channels=(72, 72, 144, 252),
        dec_num_head=(4, 4, 8, 14),
        dec_conv=(True, True, True, False),
        dec_attn=(False, False, False, True),
        drop_path=0.3,
        enc_mode=False,
    ),
    backbone_out_channels=72,
)

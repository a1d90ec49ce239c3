"""PointINS on DOS, LitePT-S, nuScenes."""

_base_ = ["pretrain-dos-ptv3-nuscenes.py"]

model = dict(
    pretrainer=dict(
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
            drop_path=0.3,
            enc_mode=True,
        ),
        head_in_channels=144 + 252 + 504,
    )
)

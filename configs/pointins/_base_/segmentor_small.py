"""A segmentor of laptop size: the small PTv3 of pretrain_small.py, with a decoder."""

_base_ = ["segmentor.py"]

enc_channels = (32, 64, 96, 128)
dec_channels = (48, 64, 96)
_enc_out_channels = sum(enc_channels)

model = dict(
    backbone=dict(
        order=("z", "z-trans"),
        stride=(2, 2, 2),
        enc_depths=(0, 1, 2, 1),
        enc_channels=enc_channels,
        enc_num_head=(2, 4, 6, 8),
        enc_patch_size=(128, 128, 128, 128),
        dec_depths=(1, 1, 1),
        dec_channels=dec_channels,
        dec_num_head=(3, 4, 6),
        dec_patch_size=(128, 128, 128),
        drop_path=0.0,
    ),
    backbone_out_channels=dec_channels[0],
)
del enc_channels, dec_channels

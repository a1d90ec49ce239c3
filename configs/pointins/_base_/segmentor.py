"""What every downstream task shares: PTv3 of the paper's size with a decoder, losses, and the hooks that all have.

The experiment itself trains everything; its -dec freezes the encoder, its -lin drops the decoder and freezes the rest.
"""

enc_channels = (32, 64, 128, 256, 512)
dec_channels = (64, 96, 192, 384)
_enc_out_channels = sum(enc_channels)  # without decoder the features of all stages are up-cast and joined

model = dict(
    backbone=dict(
        type="PT-v3m2",
        in_channels=9,
        order=("z", "z-trans", "hilbert", "hilbert-trans"),
        stride=(2, 2, 2, 2),
        enc_depths=(2, 2, 2, 6, 2),
        enc_channels=enc_channels,
        enc_num_head=(2, 4, 8, 16, 32),
        enc_patch_size=(1024, 1024, 1024, 1024, 1024),
        dec_depths=(2, 2, 2, 2),
        dec_channels=dec_channels,
        dec_num_head=(4, 6, 12, 24),
        dec_patch_size=(1024, 1024, 1024, 1024),
        mlp_ratio=4,
        drop_path=0.3,  # also where the backbone is frozen, as published
        shuffle_orders=True,
        traceable=False,
        enc_mode=False,
        freeze_encoder=False,
        mask_token=False,
    ),
    backbone_out_channels=dec_channels[0],
    freeze_backbone=False,
)
del enc_channels, dec_channels

_criteria = [
    dict(type="CrossEntropyLoss", loss_weight=1.0, ignore_index=-1),
    dict(type="LovaszLoss", mode="multiclass", loss_weight=1.0, ignore_index=-1),
]

# hooks = [_load, _timer, _writer, an evaluator, _saver]
_load = dict(type="WeightLoader", keywords="module.student.backbone", replacement="module.backbone")
_timer = dict(type="IterationTimer", warmup_iter=2)
_writer = dict(type="InformationWriter")
_saver = dict(type="CheckpointSaver", save_freq=None)

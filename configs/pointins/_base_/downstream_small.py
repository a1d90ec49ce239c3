"""Downstream at laptop size: the small PTv3 of pretrain_dos_small.py with a decoder, 4 cm voxels, minutes a run."""

_base_ = ["default_runtime.py"]

evaluate = True
batch_size = 4
mix_prob = 0.8
num_worker = 1
seed = 0

enc_channels = (32, 64, 96, 128)
dec_channels = (48, 64, 96)
enc_out_channels = sum(enc_channels)

model = dict(
    backbone=dict(
        type="PT-v3m2",
        in_channels=9,
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
        mlp_ratio=4,
        drop_path=0.0,
        shuffle_orders=True,
        traceable=False,
        enc_mode=False,
        freeze_encoder=False,
        mask_token=False,
    ),
    backbone_out_channels=dec_channels[0],
    freeze_backbone=False,
)
criteria = [
    dict(type="CrossEntropyLoss", loss_weight=1.0, ignore_index=-1),
    dict(type="LovaszLoss", mode="multiclass", loss_weight=1.0, ignore_index=-1),
]

epoch = 24  # the scenes are seen so often
eval_epoch = 2  # the validation split is scored so often
optimizer = dict(type="AdamW", lr=0.004, weight_decay=0.02)
scheduler = dict(
    type="OneCycleLR",
    max_lr=[0.004, 0.0008],
    pct_start=0.1,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=100.0,
)
param_dicts = [dict(keyword="block", lr=0.0008)]

load = dict(type="WeightLoader", keywords="module.student.backbone", replacement="module.backbone")
timer = dict(type="IterationTimer", warmup_iter=2)
writer = dict(type="InformationWriter")
saver = dict(type="CheckpointSaver", save_freq=None)

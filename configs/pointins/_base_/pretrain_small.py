"""PointINS at a size that a laptop trains in minutes, whatever the pretrainer: small PTv3, 4 cm voxels, losses at 8 cm.

Every size is for furniture in meters. The settings of the offset branch are those of the trial in tools/results.
"""

model = dict(
    type="PointINS-v1m1",
    pretrainer=dict(
        backbone=dict(
            type="PT-v3m2",
            in_channels=9,
            order=("z", "z-trans"),
            stride=(2, 2, 2),
            enc_depths=(0, 1, 2, 1),
            enc_channels=(32, 64, 96, 128),
            enc_num_head=(2, 4, 6, 8),
            enc_patch_size=(128, 128, 128, 128),
            mlp_ratio=4,
            drop_path=0.0,
            shuffle_orders=True,
            traceable=True,
            enc_mode=True,
            mask_token=False,
        ),
        head_in_channels=288,
        head_hidden_channels=512,
        head_embed_channels=128,
        up_cast_level=2,
    ),
    offset_head=dict(type="OffsetHead", hidden_channels=128),
    offset_loss_weight=0.25,
    # absolute, not the paper's 10 %: in a short run the features must be there first
    offset_warmup_steps=200,
)

epoch = 20  # the scenes are seen so often
eval_epoch = 5  # checkpoints are written so often
base_lr = 0.001
optimizer = dict(type="AdamW", lr=base_lr, weight_decay=0.04)
# ends at a quarter of its peak: offsets are still learning when so short a run stops
scheduler = dict(
    type="OneCycleLR", max_lr=base_lr, pct_start=0.05, anneal_strategy="cos", div_factor=10.0, final_div_factor=0.4
)

# shares of the scenes that lose all colors, or all normals: for a model that is to take scans without them
drop_color = 0.0
drop_normal = 0.0
_view_augmentation = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
]
missing = [
    dict(type=kind, drop_ratio=1.0, drop_application_ratio=share)
    for kind, share in (("RandomDropColor", drop_color), ("RandomDropNormal", drop_normal))
    if share > 0
]
_color_augmentation = [
    dict(type="RandomColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=0.8),
    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
    *missing,
    dict(type="NormalizeColor"),
]
# global views share one color, local ones have their own
_local_augmentation = _view_augmentation + _color_augmentation
del missing

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="ODRHook", prior="auto", auto_scans=16),
    dict(type="SCRHook", preset="indoor"),
    dict(type="OffsetMonitor", every=25),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

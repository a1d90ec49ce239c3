"""What every pretraining on rooms shares: 2 cm voxels, losses at 8 cm, augmentation, regularizers of the offsets."""

grid_size = 0.02
# shares of the scenes that lose all colors, or all normals: for a model that is to take scans without them
drop_color = 0.0
drop_normal = 0.0

# No elastic distortion: offsets can be turned back through affine maps alone.
_augmentation = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="x", p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="y", p=0.8),
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
_local_augmentation = _augmentation + _color_augmentation
del missing

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2),
    # values and reasons: pointins_ext/hooks/presets.py
    dict(type="ODRHook", preset="indoor"),
    dict(type="SCRHook", preset="indoor"),
    dict(type="OffsetMonitor"),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

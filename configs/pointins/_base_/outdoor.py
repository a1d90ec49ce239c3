"""What every pretraining on sweeps shares: 5 cm voxels, losses at 20 cm, augmentation, regularizers of the offsets."""

_base_ = ["augmentation_outdoor.py"]

grid_size = 0.05

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2),
    # values and reasons: pointins_ext/hooks/presets.py
    dict(type="ODRHook", preset="outdoor"),
    dict(type="SCRHook", preset="outdoor"),
    dict(type="OffsetMonitor", canary_seed=None),  # the canary is a room
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

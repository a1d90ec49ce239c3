"""What every pretraining on sweeps shares: 5 cm voxels, losses at 20 cm, augmentation, regularisers of the offsets."""

grid_size = 0.05

# No elastic distortion: offsets are turned back through affine maps alone. No centre shift: the sensor is the origin.
augmentation = [
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="x", center=[0, 0, 0], p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="y", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
]
# For PSA. Half the beam spacing of nuScenes' 32 beams; denser sources find a return well within it.
beam_augmentation = [dict(type="BeamAugmentation", mode="polarmix", p=0.5, tolerance=0.67)] + augmentation

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2),
    # the paper loses less than one point with any prior of about the right length; "auto" fits one to the sweeps
    dict(type="ODRHook", prior="outdoor"),
    # Few clusters and the stage at the loss resolution, as indoors, where this was tried: SCR can split but never join.
    # 2 loss voxels join a car, and leave the next one, 0.6 m away, alone.
    dict(type="SCRHook", num_clusters=8, feature="loss_stage", radius=0.40, prior="outdoor"),
    dict(type="OffsetMonitor", every=100, canary_seed=None),  # the canary is a room
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

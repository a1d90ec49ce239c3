"""What every pretraining on sweeps shares: 5 cm voxels, losses at 20 cm, augmentation, regularisers of the offsets."""

_base_ = ["augmentation_outdoor.py"]

grid_size = 0.05

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2),
    # the paper loses less than one point with any prior of about the right length; "auto" fits one to the sweeps
    dict(type="ODRHook", prior="outdoor"),
    # Few clusters and the stage at the loss resolution, as indoors; fewer still, later, are no better here (README, the
    # ladder: defaults). 2 loss voxels join a car, and leave the next one, 0.6 m away, alone.
    dict(type="SCRHook", num_clusters=8, feature="loss_stage", radius=0.40, prior="outdoor"),
    dict(type="OffsetMonitor", every=100, canary_seed=None),  # the canary is a room
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

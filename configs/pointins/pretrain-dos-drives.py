"""PointINS-on-DOS on simulated LiDAR sweeps: 120 streets, 1200 steps, minutes on a laptop.

The small network of the rooms at the scale of traffic: 10 cm voxels, losses at 20 cm, coordinates and strength.
"""

_base_ = ["_base_/default_runtime.py", "_base_/pretrain_dos_small.py", "_base_/augmentation_outdoor.py"]

num_drives = 120
drive_seed = 0
sensor = "hdl32"  # or vlp32, hdl64, sparse16
grid_size = 0.1
seed = 0

# blocks of 5 loss voxels, less than a car
model = dict(pretrainer=dict(backbone=dict(in_channels=4), mask_size_start=1.0, mask_size_base=1.0))

_transform = [
    dict(type="GridSample", grid_size=grid_size, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "strength"),
        global_view_num=2,
        global_view_scale=(0.5, 0.8),
        global_transform={{_base_._augmentation}},
        max_size=16384,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": grid_size}),
    dict(
        type="Collect",
        keys=("global_origin_coord", "global_coord", "global_offset", "grid_size", "name"),
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_strength"),
    ),
]

data = dict(
    train=dict(
        type="SyntheticDrivesDataset",
        split="train",
        num_scenes=num_drives,
        seed=drive_seed,
        drive=dict(sensor=sensor),
        transform=_transform,
    )
)

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="ODRHook", preset="outdoor"),
    dict(type="SCRHook", preset="outdoor"),
    dict(type="OffsetMonitor", every=25, canary_seed=None),  # the canary is a room
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]

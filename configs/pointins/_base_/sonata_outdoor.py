"""Sonata on sweeps: as in rooms, other channels, and every length times 2.5 as the voxel."""

_base_ = ["pretrain_sonata.py", "outdoor.py", "collect_sonata.py"]

model = dict(
    pretrainer=dict(
        backbone=dict(in_channels=4), mask_size_start=0.25, mask_size_base=1.0, mask_jitter=0.025, match_max_r=0.80
    )
)

_transform = [
    dict(type="GridSample", grid_size={{_base_.grid_size}}, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="MultiViewGenerator",
        view_keys=("coord", "origin_coord", "strength"),
        global_view_num=2,
        global_view_scale=(0.4, 1.0),
        local_view_num=4,
        local_view_scale=(0.1, 0.4),
        global_transform={{_base_._augmentation}},
        local_transform={{_base_._augmentation}},
        max_size=65536,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": {{_base_.grid_size}}}),
    dict(
        type="Collect",
        keys={{_base_._collect.keys}},
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_strength"),
        local_feat_keys=("local_coord", "local_strength"),
    ),
]

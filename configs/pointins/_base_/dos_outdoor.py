"""DOS on sweeps: blocks of 1 m are masked, views are nearly whole sweeps."""

_base_ = ["pretrain_dos.py", "outdoor.py"]

model = dict(pretrainer=dict(backbone=dict(in_channels=4), mask_size_start=0.25, mask_size_base=1.0))

_transform = [
    dict(type="GridSample", grid_size={{_base_.grid_size}}, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "strength"),
        global_view_num=2,
        global_view_scale=(0.8, 1.0),
        global_transform={{_base_._augmentation}},
        max_size=65536,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": {{_base_.grid_size}}}),
    dict(
        type="Collect",
        keys=("global_origin_coord", "global_coord", "global_offset", "grid_size", "name"),
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_strength"),
    ),
]

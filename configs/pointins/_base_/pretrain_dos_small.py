"""PointINS on DOS at laptop size."""

_base_ = ["pretrain_small.py"]

model = dict(
    pretrainer=dict(
        type="DOS-v1m1",
        head_num_prototypes=256,
        mask_size_start=0.32,
        mask_size_base=0.32,
        mask_ratio_start=0.6,
        mask_ratio_base=0.6,
        # falls, where long runs let it rise to 1: the teacher must follow within the run
        momentum_base=0.994,
        momentum_final=0.98,
    )
)

_transform = [
    dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal"),
        global_view_num=2,
        global_view_scale=(0.4, 0.75),
        global_shared_transform={{_base_._color_augmentation}},
        global_transform={{_base_._view_augmentation}},
        max_size=16384,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": 0.04}),
    dict(
        type="Collect",
        keys=("global_origin_coord", "global_coord", "global_offset", "grid_size", "name"),
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_color", "global_normal"),
    ),
]

"""PointINS-on-Sonata on procedural rooms: 60 rooms, 600 steps, minutes on a laptop.

Patches of 32 cm are masked, two global and four local views.
"""

_base_ = [
    "_base_/default_runtime.py",
    "_base_/pretrain_small.py",
    "_base_/collect_sonata.py",
    "_base_/dataset_rooms_small.py",
]

seed = 0

model = dict(
    pretrainer=dict(
        type="Sonata-v1m1",
        backbone=dict(mask_token=True),
        head_num_prototypes=256,
        num_global_view=2,
        num_local_view=4,
        mask_size_start=0.32,
        mask_size_base=0.32,
        mask_ratio_start=0.6,
        mask_ratio_base=0.6,
        mask_jitter=0.01,
        match_max_r=0.32,
        momentum_base=0.994,
        momentum_final=0.999,
    )
)

transform = [
    dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="MultiViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal"),
        global_view_num=2,
        global_view_scale=(0.4, 0.75),
        local_view_num=4,
        local_view_scale=(0.1, 0.3),
        global_shared_transform={{_base_._color_augmentation}},
        global_transform={{_base_._view_augmentation}},
        local_transform={{_base_._local_augmentation}},
        max_size=16384,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": 0.04}),
    {{_base_._collect}},
]

data = dict(train=dict(transform=transform))
del transform

"""PointINS-on-PSA on procedural rooms: 60 rooms, 600 steps, minutes on a laptop.

Boxes of clusters as psa_indoor.py has them, momentum contrast of segments.
"""

_base_ = [
    "_base_/default_runtime.py",
    "_base_/pretrain_small.py",
    "_base_/collect_psa.py",
    "_base_/dataset_rooms_small.py",
]

seed = 0

model = dict(
    pretrainer=dict(
        type="PSA-v1m1",
        contrast="segment",
        queue_size=2048,
        anchor=(0.8, 0.6, 0.7),
        box_hidden_channels=128,
        momentum_base=0.994,
        momentum_final=0.999,
    )
)

transform = [
    dict(
        type="ClusterBoxes",
        method="components",
        remove_ground=True,  # walls go with it
        min_points=30,
        radius=0.08,
        max_extent=3.0,
        voxel=0.04,
        cache_dir="exp/clusters/small",
    ),
    dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal", "cluster", "box"),
        global_view_num=2,
        global_view_scale=(0.4, 0.75),
        global_shared_transform={{_base_._color_augmentation}},
        global_transform={{_base_._view_augmentation}},
        max_size=16384,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": 0.04}),
    {{_base_._collect}},
]

data = dict(train=dict(transform=transform))
del transform

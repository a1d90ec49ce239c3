"""Sonata in rooms: patches of 40 cm are masked, two global and four local views."""

_base_ = ["pretrain_sonata.py", "indoor.py", "collect_sonata.py"]

model = dict(pretrainer=dict(mask_size_start=0.1, mask_size_base=0.4, mask_jitter=0.01, match_max_r=0.32))

_transform = [
    dict(type="GridSample", grid_size={{_base_.grid_size}}, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="MultiViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal"),
        global_view_num=2,
        global_view_scale=(0.4, 1.0),
        local_view_num=4,
        local_view_scale=(0.1, 0.4),
        global_shared_transform={{_base_._color_augmentation}},
        global_transform={{_base_._augmentation}},
        local_transform={{_base_._local_augmentation}},
        max_size=65536,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": {{_base_.grid_size}}}),
    {{_base_._collect}},
]

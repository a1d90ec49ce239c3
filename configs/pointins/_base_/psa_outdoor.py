"""PSA on sweeps: HDBSCAN clusters without the ground, the anchor is a car, views imitate other sensors."""

_base_ = ["pretrain_psa.py", "outdoor.py", "collect_psa.py"]

model = dict(pretrainer=dict(backbone=dict(in_channels=4), anchor=(3.9, 1.6, 1.56)))

_transform = [
    # before the random transforms, so that every sweep is clustered once: HDBSCAN takes seconds
    dict(
        type="ClusterBoxes",
        method="hdbscan",
        remove_ground=True,
        min_points=30,
        max_extent=12.0,  # a bus
        voxel=0.1,
        cache_dir="exp/clusters/outdoor",
    ),
    dict(type="GridSample", grid_size={{_base_.grid_size}}, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "strength", "cluster", "box"),
        global_view_num=2,
        global_view_scale=(0.8, 1.0),
        global_transform={{_base_._beam_augmentation}},
        max_size=65536,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": {{_base_.grid_size}}}),
    dict(
        type="Collect",
        keys={{_base_._collect.keys}},
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_strength"),
    ),
]

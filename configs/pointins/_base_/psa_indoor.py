"""PSA in rooms, which it was not made for: clusters of furniture's size, and no sensor to imitate."""

_base_ = ["pretrain_psa.py", "indoor.py", "collect_psa.py"]

# The median offset of furniture, 0.45 m, is that of a box of some 0.7 m: the mean over its faces is 0.64 edges.
model = dict(pretrainer=dict(anchor=(0.8, 0.6, 0.7)))

_transform = [
    # Before the random transforms, so that every scene is clustered once. HDBSCAN finds the same furniture 50 times
    # slower.
    dict(
        type="ClusterBoxes",
        method="components",
        remove_ground=True,  # walls go with it
        min_points=30,
        radius=0.08,
        max_extent=3.0,
        voxel=0.04,
        cache_dir="exp/clusters/indoor",
    ),
    dict(type="GridSample", grid_size={{_base_.grid_size}}, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict={"coord": "origin_coord"}),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal", "cluster", "box"),
        global_view_num=2,
        global_view_scale=(0.4, 1.0),
        global_shared_transform={{_base_._color_augmentation}},
        global_transform={{_base_._augmentation}},
        max_size=65536,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict={"grid_size": {{_base_.grid_size}}}),
    {{_base_._collect}},
]

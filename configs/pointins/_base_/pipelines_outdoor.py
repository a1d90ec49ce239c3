"""Pipelines of labeled sweeps, those that PTv3 is trained with on nuScenes: 5 cm voxels, coordinates and intensity.

Every point of a sweep is kept, in the frame of its sensor: the official metrics want all of them.
"""

grid = dict(type="GridSample", grid_size=0.05, hash_type="fnv", mode="train", return_grid_coord=True)
augmentation = [
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.5),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    grid,
]
feat_keys = ("coord", "strength")
labels = ("coord", "grid_coord", "segment", "name")
objects = (*labels, "instance", "instance_centroid", "bbox")
origin = ("origin_coord", "origin_segment")
counts = dict(offset="coord", origin_offset="origin_coord")


def check(num_classes):
    return dict(type="CheckLabels", num_classes=num_classes)


def panoptic(things, num_classes):
    stuff = range(things, num_classes)
    parser = dict(type="InstanceParser", segment_ignore_index=(-1, *stuff), instance_ignore_index=-1)
    copy = dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment", instance="origin_instance"))
    keys = (*objects, *origin, "origin_instance")
    return dict(
        train=[
            check(num_classes),
            *augmentation,
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=objects, feat_keys=feat_keys),
        ],
        val=[
            check(num_classes),
            copy,
            grid,
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=keys, feat_keys=feat_keys, offset_keys_dict=counts),
        ],
    )


def semantic_train(num_classes):
    collect = dict(type="Collect", keys=labels, feat_keys=feat_keys)
    return [check(num_classes), *augmentation, dict(type="ToTensor"), collect]


def semantic_val(num_classes):
    return [
        check(num_classes),
        dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment")),
        grid,
        dict(type="ToTensor"),
        dict(type="Collect", keys=(*labels, *origin), feat_keys=feat_keys, offset_keys_dict=counts),
    ]


_semantic = dict(
    nuscenes=semantic_train(16),
    nuscenes_val=semantic_val(16),
    semantic_kitti=semantic_train(19),
    semantic_kitti_val=semantic_val(19),
    # thinned to 2.5 cm before it is cut into fragments; labels go back by `inverse`
    test=[
        dict(type="Copy", keys_dict=dict(segment="origin_segment")),
        dict(type="GridSample", grid_size=0.025, hash_type="fnv", mode="train", return_inverse=True),
    ],
    # test-time augmentation: five scales, with and without a flip
    test_cfg=dict(
        voxelize=dict(grid, mode="test"),
        crop=None,
        post_transform=[
            dict(type="ToTensor"),
            dict(type="Collect", keys=("coord", "grid_coord", "index"), feat_keys=feat_keys),
        ],
        aug_transform=[
            [dict(type="RandomScale", scale=[scale, scale]), *flip]
            for flip in ([], [dict(type="RandomFlip", p=1)])
            for scale in (0.9, 0.95, 1.0, 1.05, 1.1)
        ],
    ),
)
_nuscenes = panoptic(things=10, num_classes=16)
_semantic_kitti = panoptic(things=8, num_classes=19)
del grid, augmentation, feat_keys, labels, objects, origin, counts, check, panoptic, semantic_train, semantic_val

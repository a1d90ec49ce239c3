"""Pipelines of labelled sweeps, those that PTv3 is trained with on nuScenes: 5 cm voxels, coordinates and intensity.

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


def panoptic(stuff):
    parser = dict(type="InstanceParser", segment_ignore_index=(-1, *stuff), instance_ignore_index=-1)
    copy = dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment", instance="origin_instance"))
    keys = (*objects, *origin, "origin_instance")
    return dict(
        train=[
            *augmentation,
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=objects, feat_keys=feat_keys),
        ],
        val=[
            copy,
            grid,
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=keys, feat_keys=feat_keys, offset_keys_dict=counts),
        ],
    )


semantic = dict(
    train=[*augmentation, dict(type="ToTensor"), dict(type="Collect", keys=labels, feat_keys=feat_keys)],
    val=[
        dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment")),
        grid,
        dict(type="ToTensor"),
        dict(type="Collect", keys=(*labels, *origin), feat_keys=feat_keys, offset_keys_dict=counts),
    ],
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
nuscenes = panoptic(stuff=range(10, 16))
semantic_kitti = panoptic(stuff=range(8, 19))
del grid, augmentation, feat_keys, labels, objects, origin, counts, panoptic

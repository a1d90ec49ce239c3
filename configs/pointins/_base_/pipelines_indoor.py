"""Pipelines of labeled rooms, to the key those of Sonata's published probes: 2 cm voxels, normals, Mix3D later."""

grid = dict(type="GridSample", grid_size=0.02, hash_type="fnv", mode="train", return_grid_coord=True)
augmentation = [
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.5),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="x", p=0.5),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="y", p=0.5),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    dict(type="ElasticDistortion", distortion_params=[[0.2, 0.4], [0.8, 1.6]]),
    dict(type="ChromaticAutoContrast", p=0.2, blend_factor=None),
    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
    dict(type="ChromaticJitter", p=0.95, std=0.05),
    grid,
]
ready = [dict(type="CenterShift", apply_z=False), dict(type="NormalizeColor")]
feat_keys = ("coord", "color", "normal")
origin = dict(offset="coord", origin_offset="origin_coord")
crop = dict(type="SphereCrop", point_max=102400, mode="random")
large = dict(type="SphereCrop", point_max=204800, mode="random")  # rooms of S3DIS have millions of points


def check(num_classes, instance=False):
    return dict(type="CheckLabels", num_classes=num_classes, instance=instance)


def semantic_train(num_classes, *crops):
    drop = dict(type="RandomDropout", dropout_ratio=0.2, dropout_application_ratio=1.0)
    collect = dict(type="Collect", keys=("coord", "grid_coord", "segment", "name"), feat_keys=feat_keys)
    return [
        check(num_classes),
        dict(type="CenterShift", apply_z=True),
        drop,
        *augmentation,
        *crops,
        *ready,
        dict(type="ToTensor"),
        collect,
    ]


def instances(*ignored):
    return dict(type="InstanceParser", segment_ignore_index=ignored, instance_ignore_index=-1)


def instance_train(num_classes, ignored, *crops):
    keys = ("coord", "grid_coord", "segment", "instance", "instance_centroid", "bbox", "name")
    return [
        check(num_classes, instance=True),
        dict(type="CenterShift", apply_z=True),
        dict(type="RandomDropout", dropout_ratio=0.2, dropout_application_ratio=0.5),
        *augmentation,
        dict(type="SphereCrop", sample_rate=0.8, mode="random"),
        *crops,
        *ready,
        instances(*ignored),
        dict(type="ToTensor"),
        dict(type="Collect", keys=keys, feat_keys=feat_keys),
    ]


def instance_val(num_classes, ignored):
    keys = ("coord", "grid_coord", "segment", "instance", "instance_centroid", "bbox", "name")
    keys += ("origin_coord", "origin_segment", "origin_instance")
    return [
        check(num_classes, instance=True),
        dict(type="CenterShift", apply_z=True),
        dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment", instance="origin_instance")),
        grid,
        *ready,
        instances(*ignored),
        dict(type="ToTensor"),
        dict(type="Collect", keys=keys, feat_keys=feat_keys, offset_keys_dict=origin),
    ]


def semantic_val(num_classes):
    return [
        check(num_classes),
        dict(type="CenterShift", apply_z=True),
        dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment")),
        grid,
        *ready,
        dict(type="ToTensor"),
        dict(
            type="Collect",
            keys=("coord", "grid_coord", "segment", "origin_coord", "origin_segment", "name"),
            feat_keys=feat_keys,
            offset_keys_dict=origin,
        ),
    ]


def turned(angle, *more):
    return [dict(type="RandomRotateTargetAngle", angle=[angle], axis="z", center=[0, 0, 0], p=1), *more]


_semantic = dict(
    scannet=semantic_train(20, crop),
    scannet200=semantic_train(200, crop),
    s3dis=semantic_train(13, dict(type="SphereCrop", sample_rate=0.6, mode="random"), large),
    scannet_val=semantic_val(20),
    scannet200_val=semantic_val(200),
    s3dis_val=semantic_val(13),
    test=[dict(type="CenterShift", apply_z=True), dict(type="NormalizeColor")],
    # the rooms of S3DIS are thinned to 1 cm before they are cut into fragments, and labels go back by `inverse`
    s3dis_test=[
        dict(type="CenterShift", apply_z=True),
        dict(type="NormalizeColor"),
        dict(type="Copy", keys_dict=dict(segment="origin_segment")),
        dict(type="GridSample", grid_size=0.01, hash_type="fnv", mode="train", return_inverse=True),
    ],
    # test-time augmentation: four turns at three scales, and a flip
    test_cfg=dict(
        voxelize=dict(grid, mode="test"),
        crop=None,
        post_transform=[
            dict(type="CenterShift", apply_z=False),
            dict(type="ToTensor"),
            dict(type="Collect", keys=("coord", "grid_coord", "index"), feat_keys=feat_keys),
        ],
        aug_transform=[
            *[turned(angle) for angle in (0, 0.5, 1, 1.5)],
            *[
                turned(angle, dict(type="RandomScale", scale=[scale, scale]))
                for scale in (0.95, 1.05)
                for angle in (0, 0.5, 1, 1.5)
            ],
            [dict(type="RandomFlip", p=1)],
        ],
    ),
)
_instance = dict(
    scannet=instance_train(20, (-1, 0, 1)),
    scannet_val=instance_val(20, (-1, 0, 1)),
    scannet200=instance_train(200, (-1, 0, 2)),
    scannet200_val=instance_val(200, (-1, 0, 2)),
    rooms=instance_train(8, (-1, 0, 1)),
    rooms_val=instance_val(8, (-1, 0, 1)),
    s3dis=instance_train(13, (-1,), large),
    s3dis_val=instance_val(13, (-1,)),
)
del grid, augmentation, ready, feat_keys, origin, crop, large
del check, semantic_train, semantic_val, instances, instance_train, instance_val, turned

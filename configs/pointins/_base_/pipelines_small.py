"""Pipelines of labeled rooms and table tops at 4 cm: instances of every class but the first ones are parsed."""

grid = dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train", return_grid_coord=True)
augmentation = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
    dict(type="ChromaticJitter", p=0.95, std=0.05),
    grid,
    dict(type="CenterShift", apply_z=False),
    dict(type="NormalizeColor"),
]
feat_keys = ("coord", "color", "normal")
keys = ("coord", "grid_coord", "segment", "instance", "instance_centroid", "bbox", "name")


def instance(*ignored, first=()):
    parser = dict(type="InstanceParser", segment_ignore_index=(-1, *ignored), instance_ignore_index=-1)
    copy = dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment", instance="origin_instance"))
    origin = ("origin_coord", "origin_segment", "origin_instance")
    counts = dict(offset="coord", origin_offset="origin_coord")
    return dict(
        train=[
            *first,
            *augmentation,
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=keys, feat_keys=feat_keys),
        ],
        val=[
            *first,
            dict(type="CenterShift", apply_z=True),
            copy,
            grid,
            dict(type="CenterShift", apply_z=False),
            dict(type="NormalizeColor"),
            parser,
            dict(type="ToTensor"),
            dict(type="Collect", keys=(*keys, *origin), feat_keys=feat_keys, offset_keys_dict=counts),
        ],
    )


_rooms = instance(0, 1)  # floor, wall
_objects = instance(0, first=[dict(type="ObjectSegment")])  # whatever is no object
del grid, augmentation, feat_keys, keys, instance

"""Semantics and instances of simulated LiDAR sweeps, full fine-tuning at laptop size.

    pointins train -c pointins/panseg-drives -n drives_full -w exp/pointins/NAME/model/model_last.pth

`num_drives` are labeled; streets of the split "val" are scored.
"""

_base_ = ["_base_/segmentor_small.py", "_base_/downstream_small.py"]

num_drives = 20
dataset = dict(type="SyntheticDrivesDataset", seed=0, drive=dict(sensor="hdl32"))
things = (6, 7, 8, 9)

grid = dict(type="GridSample", grid_size=0.1, hash_type="fnv", mode="train", return_grid_coord=True)
parser = dict(type="InstanceParser", segment_ignore_index=(-1, 0, 1, 2, 3, 4, 5), instance_ignore_index=-1)
keys = ("coord", "grid_coord", "segment", "instance", "instance_centroid", "bbox", "name")
feat_keys = ("coord", "strength")
# no center shift: the sensor is the origin
train_transform = [
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    grid,
    parser,
    dict(type="ToTensor"),
    dict(type="Collect", keys=keys, feat_keys=feat_keys),
]
val_transform = [
    dict(type="Copy", keys_dict=dict(coord="origin_coord", segment="origin_segment", instance="origin_instance")),
    grid,
    parser,
    dict(type="ToTensor"),
    dict(
        type="Collect",
        keys=(*keys, "origin_coord", "origin_segment", "origin_instance"),
        feat_keys=feat_keys,
        offset_keys_dict=dict(offset="coord", origin_offset="origin_coord"),
    ),
]

model = dict(
    type="PanSeg-v1m1",
    backbone=dict(in_channels=4),
    num_classes=10,
    things=things,
    radius=(0.8, 0.8, 0.4, 0.4),  # meters, at voxels of 10 cm: people stand closer than cars
    min_points=5,
    criteria={{_base_._criteria}},
)
data = dict(
    num_classes=10,
    ignore_index=-1,
    names=[
        "road",
        "sidewalk",
        "terrain",
        "building",
        "pole",
        "vegetation",
        "car",
        "truck",
        "person",
        "two-wheeler",
    ],
    train=dict(dataset, split="train", num_scenes=num_drives, transform=train_transform),
    val=dict(dataset, split="val", num_scenes=16, transform=val_transform),
    test=dict(dataset, split="val", num_scenes=16, transform=val_transform),
)

hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="PanSegEvaluator", things=things, min_points=15),
    {{_base_._saver}},
]
test = dict(type="PanSegTester", things=things, min_points=15)
del dataset, things, grid, parser, keys, feat_keys, train_transform, val_transform

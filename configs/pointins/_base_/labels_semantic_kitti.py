"""SemanticKITTI with 19 classes: eight of things, eleven of stuff; moving ones are folded into the static ones."""

num_classes = 19
_things = list(range(8))
# fmt: off
names = [
    "car", "bicycle", "motorcycle", "truck", "other-vehicle", "person", "bicyclist", "motorcyclist", "road", "parking",
    "sidewalk", "other-ground", "building", "fence", "vegetation", "trunk", "terrain", "pole", "traffic-sign",
]
_weighted_criteria = [
    dict(
        type="CrossEntropyLoss",
        weight=[  # rare classes weigh more
            3.1557, 8.7029, 7.8281, 6.1354, 6.3161, 7.9937, 8.9704, 10.1922, 1.6155, 4.2187,
            1.9385, 5.5455, 2.0198, 2.6261, 1.3212, 5.1102, 2.5492, 5.8585, 7.3929,
        ],
        loss_weight=1.0,
        ignore_index=-1,
    ),
    dict(type="LovaszLoss", mode="multiclass", loss_weight=1.0, ignore_index=-1),
]
# fmt: on

# the task says which reader
data = dict(
    num_classes=num_classes,
    ignore_index=-1,
    names=names,
    train=dict(data_root="data/semantic_kitti", split="train"),
    val=dict(data_root="data/semantic_kitti", split="val"),
    test=dict(data_root="data/semantic_kitti", split="val"),
)
del num_classes, names

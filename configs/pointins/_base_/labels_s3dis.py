"""S3DIS with its 13 classes; Area 5 is for validation."""

num_classes = 13
# fmt: off
names = [
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa", "bookcase", "board",
    "clutter",
]
# fmt: on

data = dict(
    num_classes=num_classes,
    ignore_index=-1,
    names=names,
    train=dict(type="S3DISDataset", data_root="data/s3dis", split=[f"Area_{area}" for area in (1, 2, 3, 4, 6)]),
    val=dict(type="S3DISDataset", data_root="data/s3dis", split="Area_5"),
    test=dict(type="S3DISDataset", data_root="data/s3dis", split="Area_5"),
)
del num_classes, names

"""The 13 classes of S3DIS."""

num_classes = 13
# fmt: off
names = [
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa", "bookcase", "board",
    "clutter",
]
# fmt: on

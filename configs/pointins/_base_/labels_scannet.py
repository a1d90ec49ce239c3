"""The 20 classes of ScanNet's benchmark."""

num_classes = 20
# fmt: off
names = [
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "desk", "curtain", "refridgerator", "shower curtain", "toilet", "sink", "bathtub", "otherfurniture",
]
# fmt: on

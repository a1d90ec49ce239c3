"""ScanNet with the 20 classes of its benchmark."""

num_classes = 20
# fmt: off
names = [
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "desk", "curtain", "refridgerator", "shower curtain", "toilet", "sink", "bathtub", "otherfurniture",
]
# fmt: on

data = dict(
    num_classes=num_classes,
    ignore_index=-1,
    names=names,
    train=dict(type="ScanNetDataset", data_root="data/scannet", split="train"),
    val=dict(type="ScanNetDataset", data_root="data/scannet", split="val"),
    test=dict(type="ScanNetDataset", data_root="data/scannet", split="val"),
)
del num_classes, names

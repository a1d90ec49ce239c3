"""Procedural rooms with their 8 classes."""

num_classes = 8
names = ["floor", "wall", "chair", "table", "cabinet", "sofa", "lamp", "bin"]

num_rooms = 20  # labeled; others are scored
data = dict(
    num_classes=num_classes,
    ignore_index=-1,
    names=names,
    train=dict(type="SyntheticRoomsDataset", seed=0, split="train", num_scenes=num_rooms),
    val=dict(type="SyntheticRoomsDataset", seed=0, split="val", num_scenes=16),
    test=dict(type="SyntheticRoomsDataset", seed=0, split="val", num_scenes=16),
)
del num_classes, names

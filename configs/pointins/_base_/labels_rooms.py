"""The 8 classes of procedural rooms."""

num_classes = 8
names = ["floor", "wall", "chair", "table", "cabinet", "sofa", "lamp", "bin"]

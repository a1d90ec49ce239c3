"""nuScenes with the 16 classes of its benchmarks: ten of things, six of stuff."""

num_classes = 16
_things = list(range(10))
# fmt: off
names = [
    "barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian", "traffic_cone", "trailer",
    "truck", "driveable_surface", "other_flat", "sidewalk", "terrain", "manmade", "vegetation",
]
# fmt: on

# the task says which reader
data = dict(
    num_classes=num_classes,
    ignore_index=-1,
    names=names,
    train=dict(data_root="data/nuscenes", split="train"),
    val=dict(data_root="data/nuscenes", split="val"),
    test=dict(data_root="data/nuscenes", split="val"),
)
del num_classes, names

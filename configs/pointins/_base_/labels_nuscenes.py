"""The 16 classes of nuScenes' benchmarks: ten of things, six of stuff."""

num_classes = 16
things = list(range(10))
# fmt: off
names = [
    "barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian", "traffic_cone", "trailer",
    "truck", "driveable_surface", "other_flat", "sidewalk", "terrain", "manmade", "vegetation",
]
# fmt: on

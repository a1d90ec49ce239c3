"""Instance segmentation with PointGroup at 2 cm voxels; the first two classes, wall and floor, are not scored."""

_base_ = ["segmentor.py"]

ignored = (-1, 0, 1)  # no label, and the two
model = dict(
    type="PG-v1m2",
    semantic_ignore_index=-1,
    segment_ignore_index=ignored,
    instance_ignore_index=-1,
    # shifted points of one class join where they are closer than cluster_thresh * voxel_size = 3 cm
    voxel_size=0.02,
    cluster_thresh=1.5,
    cluster_closed_points=600,
    cluster_propose_points=200,
    cluster_min_points=50,
    criteria={{_base_._criteria}},
)
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="InstanceEvaluator", segment_ignore_index=ignored, instance_ignore_index=-1),
    {{_base_._saver}},
]
test = dict(type="InstanceTester", segment_ignore_index=ignored, instance_ignore_index=-1)
del ignored

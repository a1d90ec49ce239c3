"""Instance segmentation with PointGroup at laptop size: 4 cm voxels."""

_base_ = ["segmentor_small.py"]

model = dict(
    type="PG-v1m2",
    semantic_ignore_index=-1,
    instance_ignore_index=-1,
    # shifted points of one class join where they are closer than cluster_thresh * voxel_size = 6 cm
    voxel_size=0.04,
    cluster_thresh=1.5,
    cluster_closed_points=600,
    cluster_propose_points=30,
    cluster_min_points=20,
    criteria={{_base_._criteria}},
)

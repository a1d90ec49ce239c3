"""Panoptic segmentation of SemanticKITTI, full fine-tuning."""

_base_ = [
    "_base_/panseg.py",
    "_base_/downstream_outdoor.py",
    "_base_/pipelines_outdoor.py",
    "_base_/labels_semantic_kitti.py",
]

model = dict(
    backbone=dict(in_channels=4),
    num_classes={{_base_.data.num_classes}},
    things={{_base_._things}},
    # meters, for each of things, at voxels of 5 cm: two-wheelers, people and cones stand closer than vehicles
    radius=(0.8, 0.4, 0.4, 0.8, 0.8, 0.4, 0.4, 0.4),
    min_points=5,
    criteria={{_base_._weighted_criteria}},
)
data = dict(
    train=dict(type="SemanticKITTIPanopticDataset", transform={{_base_._semantic_kitti.train}}),
    val=dict(type="SemanticKITTIPanopticDataset", transform={{_base_._semantic_kitti.val}}),
    test=dict(type="SemanticKITTIPanopticDataset", transform={{_base_._semantic_kitti.val}}),
)
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="PanSegEvaluator", things={{_base_._things}}, min_points=50),
    {{_base_._saver}},
]
test = dict(type="PanSegTester", things={{_base_._things}}, min_points=50)

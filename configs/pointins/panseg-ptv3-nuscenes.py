"""Panoptic segmentation of nuScenes, full fine-tuning."""

_base_ = [
    "_base_/panseg.py",
    "_base_/downstream_outdoor.py",
    "_base_/pipelines_outdoor.py",
    "_base_/labels_nuscenes.py",
]

model = dict(
    backbone=dict(in_channels=4),
    num_classes={{_base_.data.num_classes}},
    things={{_base_._things}},
    # meters, for each of things, at voxels of 5 cm: two-wheelers, people and cones stand closer than vehicles
    radius=(0.8, 0.4, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.8, 0.8),
    min_points=5,
)
data = dict(
    train=dict(type="NuScenesPanopticDataset", transform={{_base_._nuscenes.train}}),
    val=dict(type="NuScenesPanopticDataset", transform={{_base_._nuscenes.val}}),
    test=dict(type="NuScenesPanopticDataset", transform={{_base_._nuscenes.val}}),
)
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="PanSegEvaluator", things={{_base_._things}}, min_points=15),
    {{_base_._saver}},
]
test = dict(type="PanSegTester", things={{_base_._things}}, min_points=15)

"""Panoptic segmentation of nuScenes, full fine-tuning."""

_base_ = ["_base_/downstream_outdoor.py", "_base_/pipelines_outdoor.py", "_base_/labels_nuscenes.py"]

dataset = dict(type="NuScenesPanopticDataset", data_root="data/nuscenes")

model = dict(
    type="PanSeg-v1m1",
    num_classes={{_base_.num_classes}},
    things={{_base_.things}},
    # metres, for each of things, at voxels of 5 cm: two-wheelers, people and cones stand closer than vehicles
    radius=(0.8, 0.4, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.8, 0.8),
    min_points=5,
    criteria={{_base_.criteria}},
)
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.nuscenes.train}}),
    val=dict(dataset, split="val", transform={{_base_.nuscenes.val}}),
    test=dict(dataset, split="val", transform={{_base_.nuscenes.val}}),
)
del dataset

hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="PanSegEvaluator", things={{_base_.things}}, min_points=15),
    {{_base_.saver}},
]
test = dict(type="PanSegTester", things={{_base_.things}}, min_points=15)

"""Panoptic segmentation of SemanticKITTI, full fine-tuning."""

_base_ = ["_base_/downstream_outdoor.py", "_base_/pipelines_outdoor.py", "_base_/labels_semantic_kitti.py"]

dataset = dict(type="SemanticKITTIPanopticDataset", data_root="data/semantic_kitti")

model = dict(
    type="PanSeg-v1m1",
    num_classes={{_base_.num_classes}},
    things={{_base_.things}},
    # metres, for each of things, at voxels of 5 cm: two-wheelers, people and cones stand closer than vehicles
    radius=(0.8, 0.4, 0.4, 0.8, 0.8, 0.4, 0.4, 0.4),
    min_points=5,
    criteria={{_base_.weighted_criteria}},
)
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.semantic_kitti.train}}),
    val=dict(dataset, split="val", transform={{_base_.semantic_kitti.val}}),
    test=dict(dataset, split="val", transform={{_base_.semantic_kitti.val}}),
)
del dataset

hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="PanSegEvaluator", things={{_base_.things}}, min_points=50),
    {{_base_.saver}},
]
test = dict(type="PanSegTester", things={{_base_.things}}, min_points=50)

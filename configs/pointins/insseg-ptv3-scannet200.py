"""Instance segmentation of ScanNet200, full fine-tuning."""

_base_ = ["_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_scannet200.py"]

dataset = dict(type="ScanNet200Dataset", data_root="data/scannet")
ignored = (-1, 0, 2)  # no label, wall, floor: 198 classes are scored
optimizer = dict(weight_decay=0.05)
clip_grad = None  # as published for instances

model = dict(
    type="PG-v1m2",
    semantic_num_classes={{_base_.num_classes}},
    semantic_ignore_index=-1,
    segment_ignore_index=ignored,
    instance_ignore_index=-1,
    # shifted points of one class join where they are closer than cluster_thresh * voxel_size = 3 cm
    voxel_size=0.02,
    cluster_thresh=1.5,
    cluster_closed_points=600,
    cluster_propose_points=200,
    cluster_min_points=50,
    criteria={{_base_.criteria}},
)
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.instance.scannet200}}),
    val=dict(dataset, split="val", transform={{_base_.instance.scannet200_val}}),
    test=dict(dataset, split="val", transform={{_base_.instance.scannet200_val}}),
)

hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="InstanceEvaluator", segment_ignore_index=ignored, instance_ignore_index=-1),
    {{_base_.saver}},
]
test = dict(type="InstanceTester", segment_ignore_index=ignored, instance_ignore_index=-1)
del dataset, ignored

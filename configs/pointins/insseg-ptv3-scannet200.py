"""Instance segmentation of ScanNet200, full fine-tuning."""

_base_ = [
    "_base_/insseg.py",
    "_base_/downstream_indoor.py",
    "_base_/pipelines_indoor.py",
    "_base_/labels_scannet200.py",
]

optimizer = dict(weight_decay=0.05)
clip_grad = None  # as published for instances

ignored = (-1, 0, 2)  # no label, wall, floor: 198 classes are scored
model = dict(semantic_num_classes={{_base_.data.num_classes}}, segment_ignore_index=ignored)
data = dict(
    train=dict(transform={{_base_._instance.scannet200}}),
    val=dict(transform={{_base_._instance.scannet200_val}}),
    test=dict(transform={{_base_._instance.scannet200_val}}),
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

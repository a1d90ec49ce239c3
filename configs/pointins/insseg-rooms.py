"""Instance segmentation of procedural rooms with PointGroup, full fine-tuning at laptop size.

    pointins train -c pointins/insseg-rooms -n rooms_full -w exp/pointins/NAME/model/model_last.pth

`num_rooms` are labeled; rooms of the split "val" are scored.
"""

_base_ = ["_base_/insseg_small.py", "_base_/downstream_small.py", "_base_/pipelines_small.py", "_base_/labels_rooms.py"]

ignored = (-1, 0, 1)  # no label, floor, wall: 6 classes are scored
model = dict(semantic_num_classes={{_base_.data.num_classes}}, segment_ignore_index=ignored)
data = dict(
    train=dict(transform={{_base_._rooms.train}}),
    val=dict(transform={{_base_._rooms.val}}),
    test=dict(transform={{_base_._rooms.val}}),
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

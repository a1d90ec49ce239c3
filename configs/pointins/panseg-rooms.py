"""Semantics and instances of procedural rooms, full fine-tuning at laptop size.

    pointins train -c pointins/panseg-rooms -n rooms_full -w exp/pointins/NAME/model/model_last.pth

`num_rooms` are labeled; rooms of the split "val" are scored.
"""

_base_ = [
    "_base_/segmentor_small.py",
    "_base_/downstream_small.py",
    "_base_/pipelines_small.py",
    "_base_/labels_rooms.py",
]

things = (2, 3, 4, 5, 6, 7)
model = dict(
    type="PanSeg-v1m1",
    num_classes={{_base_.data.num_classes}},
    things=things,
    radius=0.08,  # meters, two voxels of 4 cm
    min_points=20,
    criteria={{_base_._criteria}},
)
data = dict(
    train=dict(transform={{_base_._rooms.train}}),
    val=dict(transform={{_base_._rooms.val}}),
    test=dict(transform={{_base_._rooms.val}}),
)
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="PanSegEvaluator", things=things, min_points=15),
    {{_base_._saver}},
]
test = dict(type="PanSegTester", things=things, min_points=15)
del things

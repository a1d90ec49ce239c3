"""Semantics and instances of procedural rooms at the paper's network size, full fine-tuning."""

_base_ = ["_base_/panseg.py", "_base_/downstream_rooms.py", "_base_/pipelines_indoor.py", "_base_/labels_rooms.py"]

things = (2, 3, 4, 5, 6, 7)
model = dict(
    num_classes={{_base_.data.num_classes}},
    things=things,
    radius=0.04,  # meters, two voxels
    min_points=50,
)
data = dict(
    train=dict(transform={{_base_._instance.rooms}}),
    val=dict(transform={{_base_._instance.rooms_val}}),
    test=dict(transform={{_base_._instance.rooms_val}}),
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

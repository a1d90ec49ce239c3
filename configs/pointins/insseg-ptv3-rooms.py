"""Instance segmentation of procedural rooms at the paper's network size, full fine-tuning."""

_base_ = ["_base_/insseg.py", "_base_/downstream_rooms.py", "_base_/pipelines_indoor.py", "_base_/labels_rooms.py"]

clip_grad = None  # as published for instances

model = dict(semantic_num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(transform={{_base_._instance.rooms}}),
    val=dict(transform={{_base_._instance.rooms_val}}),
    test=dict(transform={{_base_._instance.rooms_val}}),
)

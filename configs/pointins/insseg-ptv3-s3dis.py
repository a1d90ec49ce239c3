"""Instance segmentation of S3DIS (Area 5 for validation), full fine-tuning."""

_base_ = ["_base_/insseg.py", "_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_s3dis.py"]

epoch = 3000
optimizer = dict(weight_decay=0.05)
clip_grad = None  # as published for instances

ignored = (-1,)  # no label: all 13 classes are scored
model = dict(semantic_num_classes={{_base_.data.num_classes}}, segment_ignore_index=ignored)
data = dict(
    train=dict(transform={{_base_._instance.s3dis}}),
    val=dict(transform={{_base_._instance.s3dis_val}}),
    test=dict(transform={{_base_._instance.s3dis_val}}),
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

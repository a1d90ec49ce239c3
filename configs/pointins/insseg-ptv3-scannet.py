"""Instance segmentation of ScanNet, full fine-tuning."""

_base_ = ["_base_/insseg.py", "_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_scannet.py"]

optimizer = dict(weight_decay=0.05)
clip_grad = None  # as published for instances

model = dict(semantic_num_classes={{_base_.data.num_classes}})
data = dict(
    train=dict(transform={{_base_._instance.scannet}}),
    val=dict(transform={{_base_._instance.scannet_val}}),
    test=dict(transform={{_base_._instance.scannet_val}}),
)

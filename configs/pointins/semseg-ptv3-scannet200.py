"""Semantic segmentation of ScanNet200, full fine-tuning."""

_base_ = ["_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_scannet200.py"]

dataset = dict(type="ScanNet200Dataset", data_root="data/scannet")

model = dict(type="DefaultSegmentorV2", num_classes={{_base_.num_classes}}, criteria={{_base_.criteria}})
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.semantic.scannet200}}),
    val=dict(dataset, split="val", transform={{_base_.semantic.scannet200_val}}),
    test=dict(
        dataset,
        split="val",
        transform={{_base_.semantic.test}},
        test_mode=True,
        test_cfg={{_base_.semantic.test_cfg}},
    ),
)
del dataset

hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="SemanticEvaluator"),
    {{_base_.saver}},
]
test = dict(type="SemanticTester")

"""Semantic segmentation of S3DIS (Area 5 for validation), full fine-tuning."""

_base_ = ["_base_/downstream_indoor.py", "_base_/pipelines_indoor.py", "_base_/labels_s3dis.py"]

dataset = dict(type="S3DISDataset", data_root="data/s3dis")
epoch = 3000

model = dict(type="DefaultSegmentorV2", num_classes={{_base_.num_classes}}, criteria={{_base_.criteria}})
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split=[f"Area_{area}" for area in (1, 2, 3, 4, 6)], transform={{_base_.semantic.s3dis}}),
    val=dict(dataset, split="Area_5", transform={{_base_.semantic.s3dis_val}}),
    test=dict(
        dataset,
        split="Area_5",
        transform={{_base_.semantic.s3dis_test}},
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

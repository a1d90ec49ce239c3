"""Semantic segmentation of nuScenes, full fine-tuning."""

_base_ = ["_base_/downstream_outdoor.py", "_base_/pipelines_outdoor.py", "_base_/labels_nuscenes.py"]

dataset = dict(type="NuScenesDataset", data_root="data/nuscenes")

model = dict(type="DefaultSegmentorV2", num_classes={{_base_.num_classes}}, criteria={{_base_.criteria}})
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.semantic.nuscenes}}),
    val=dict(dataset, split="val", transform={{_base_.semantic.nuscenes_val}}),
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

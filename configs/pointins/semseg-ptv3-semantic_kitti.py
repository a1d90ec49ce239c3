"""Semantic segmentation of SemanticKITTI, full fine-tuning."""

_base_ = ["_base_/downstream_outdoor.py", "_base_/pipelines_outdoor.py", "_base_/labels_semantic_kitti.py"]

dataset = dict(type="SemanticKITTIDataset", data_root="data/semantic_kitti")

model = dict(type="DefaultSegmentorV2", num_classes={{_base_.num_classes}}, criteria={{_base_.weighted_criteria}})
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", transform={{_base_.semantic.semantic_kitti}}),
    val=dict(dataset, split="val", transform={{_base_.semantic.semantic_kitti_val}}),
    # sweeps of sequences 11-21, which have no labels, are of unknown class to this one, not cars
    test=dict(
        dataset,
        type="SemanticKITTIPanopticDataset",
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

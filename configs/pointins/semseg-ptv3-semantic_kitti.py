"""Semantic segmentation of SemanticKITTI, full fine-tuning."""

_base_ = [
    "_base_/semseg.py",
    "_base_/downstream_outdoor.py",
    "_base_/pipelines_outdoor.py",
    "_base_/labels_semantic_kitti.py",
]

model = dict(
    backbone=dict(in_channels=4), num_classes={{_base_.data.num_classes}}, criteria={{_base_._weighted_criteria}}
)
data = dict(
    train=dict(type="SemanticKITTIDataset", transform={{_base_._semantic.semantic_kitti}}),
    val=dict(type="SemanticKITTIDataset", transform={{_base_._semantic.semantic_kitti_val}}),
    # sweeps of sequences 11-21, which have no labels, are of unknown class to this one, not cars
    test=dict(
        type="SemanticKITTIPanopticDataset",
        transform={{_base_._semantic.test}},
        test_mode=True,
        test_cfg={{_base_._semantic.test_cfg}},
    ),
)

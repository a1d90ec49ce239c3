"""Semantic segmentation: one linear layer on the backbone's features."""

_base_ = ["segmentor.py"]

model = dict(type="DefaultSegmentorV2", criteria={{_base_.criteria}})
hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="SemanticEvaluator"),
    {{_base_.saver}},
]
test = dict(type="SemanticTester")

"""Semantic segmentation: one linear layer on the backbone's features."""

_base_ = ["segmentor.py"]

model = dict(type="DefaultSegmentorV2", criteria={{_base_._criteria}})
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="SemanticEvaluator"),
    {{_base_._saver}},
]
test = dict(type="SemanticTester")

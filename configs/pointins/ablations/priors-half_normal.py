"""Priors: an artificial one, lengths half-normal with a median of 0.4 m."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    dict(type="ODRHook", prior="{{ fileDirname }}/priors/half_normal.json"),
    {{_base_.scr}},
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

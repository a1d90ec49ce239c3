"""Priors: fitted to HDBSCAN clusters of the training scans, without labels."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    dict(type="ODRHook", prior="auto", auto_method="hdbscan"),
    {{_base_.scr}},
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

"""Components: both regularizers in their literal reading."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    dict(type="ODRHook", prior={{_base_.prior}}, preset="paper"),
    dict(type="SCRHook", preset="paper"),
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

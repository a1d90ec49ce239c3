"""Components: the baseline, DOS alone. The offset branch is there, but its loss weighs nothing."""

_base_ = ["_base_/scannet.py"]

model = dict(offset_loss_weight=0.0)
hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

"""Components: the baseline, DOS alone. The offset branch is there, but its loss weighs nothing."""

_base_ = ["_base_/scannet.py"]

model = dict(offset_loss_weight=0.0)
hooks = [
    {{_base_._load}},
    {{_base_._model_hook}},
    {{_base_._decay}},
    {{_base_._monitor}},
    {{_base_._timer}},
    {{_base_._writer}},
    {{_base_._saver}},
]

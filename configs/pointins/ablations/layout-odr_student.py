"""Layout: ODR on the student's offsets."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    dict(type="ODRHook", prior={{_base_.prior}}, side="student"),
    {{_base_.scr}},
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

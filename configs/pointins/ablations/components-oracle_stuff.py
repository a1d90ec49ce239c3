"""Components: true centers on objects, the targets of K-means elsewhere: what stuff costs. It needs labels."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    {{_base_.kmeans}},
    dict(type="OracleHook", keep_stuff=True),
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

"""Components: ODR, then the paper's K-means form of SCR with its best settings: the default before the graph rule."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_.load}},
    {{_base_.model_hook}},
    {{_base_.decay}},
    {{_base_.odr}},
    {{_base_.kmeans}},
    {{_base_.monitor}},
    {{_base_.timer}},
    {{_base_.writer}},
    {{_base_.saver}},
]

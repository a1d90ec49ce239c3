"""Components: ODR, then the paper's K-means form of SCR with its best settings: the default before the graph rule."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_._load}},
    {{_base_._model_hook}},
    {{_base_._decay}},
    {{_base_._odr}},
    {{_base_._kmeans}},
    {{_base_._monitor}},
    {{_base_._timer}},
    {{_base_._writer}},
    {{_base_._saver}},
]

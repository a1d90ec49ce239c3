"""Components, and priors without any: spatial clustering regularization alone."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_._load}},
    {{_base_._model_hook}},
    {{_base_._decay}},
    {{_base_._scr}},
    {{_base_._monitor}},
    {{_base_._timer}},
    {{_base_._writer}},
    {{_base_._saver}},
]

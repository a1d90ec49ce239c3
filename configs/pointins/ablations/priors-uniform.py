"""Priors: an artificial one, lengths uniform up to 1 m."""

_base_ = ["_base_/scannet.py"]

hooks = [
    {{_base_._load}},
    {{_base_._model_hook}},
    {{_base_._decay}},
    dict(type="ODRHook", prior="{{ fileDirname }}/priors/uniform.json"),
    {{_base_._scr}},
    {{_base_._monitor}},
    {{_base_._timer}},
    {{_base_._writer}},
    {{_base_._saver}},
]

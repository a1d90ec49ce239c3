"""PointINS on DOS, PTv3, nuScenes, SemanticKITTI and Waymo."""

_base_ = ["_base_/dos_outdoor.py", "_base_/dataset_outdoor.py"]

data = dict(train=dict(transform={{_base_._transform}}))

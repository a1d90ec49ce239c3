"""PointINS on PSA, PTv3, nuScenes, SemanticKITTI and Waymo."""

_base_ = ["_base_/psa_outdoor.py", "_base_/dataset_outdoor.py"]

data = dict(train=dict(transform={{_base_._transform}}))

"""PointINS on PSA, PTv3, ScanNet."""

_base_ = ["_base_/psa_indoor.py", "_base_/dataset_scannet.py"]

data = dict(train=dict(transform={{_base_._transform}}))

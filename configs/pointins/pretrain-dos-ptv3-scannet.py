"""PointINS on DOS, PTv3, ScanNet."""

_base_ = ["_base_/dos_indoor.py", "_base_/dataset_scannet.py"]

data = dict(train=dict(transform={{_base_._transform}}))

"""PointINS on Sonata, PTv3, ScanNet."""

_base_ = ["_base_/sonata_indoor.py", "_base_/dataset_scannet.py"]

data = dict(train=dict(transform={{_base_._transform}}))

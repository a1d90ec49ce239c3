"""PointINS on Sonata, PTv3, nuScenes."""

_base_ = ["_base_/sonata_outdoor.py", "_base_/dataset_nuscenes.py"]

data = dict(train=dict(transform={{_base_._transform}}))

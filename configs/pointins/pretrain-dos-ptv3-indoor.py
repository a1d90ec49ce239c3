"""PointINS on DOS, PTv3, ScanNet, S3DIS and Structured3D."""

_base_ = ["_base_/dos_indoor.py", "_base_/dataset_indoor.py"]

data = dict(train=dict(transform={{_base_._transform}}))

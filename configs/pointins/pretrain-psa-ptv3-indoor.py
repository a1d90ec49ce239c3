"""PointINS on PSA, PTv3, ScanNet, S3DIS and Structured3D."""

_base_ = ["_base_/psa_indoor.py", "_base_/dataset_indoor.py"]

data = dict(train=dict(transform={{_base_._transform}}))

"""PointINS on Sonata, PTv3, procedural rooms."""

_base_ = ["_base_/sonata_indoor.py", "_base_/dataset_rooms.py"]

data = dict(train=dict(transform={{_base_._transform}}))

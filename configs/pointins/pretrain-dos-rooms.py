"""PointINS-on-DOS on procedural rooms: 60 rooms, 600 steps, minutes on a laptop."""

_base_ = ["_base_/default_runtime.py", "_base_/pretrain_dos_small.py", "_base_/dataset_rooms_small.py"]

seed = 0
data = dict(train=dict(transform={{_base_._transform}}))

"""Downstream on sweeps: 50 epochs, class by class as PTv3 is trained on nuScenes."""

_base_ = ["downstream_ptv3.py"]

batch_size = 12
num_worker = 24
model = dict(backbone=dict(in_channels=4))

epoch = 50
eval_epoch = 50
optimizer = dict(weight_decay=0.005)
scheduler = dict(pct_start=0.04, final_div_factor=100.0)

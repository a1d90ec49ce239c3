"""The hooks of PointINS on DOS on ScanNet one by one, for ablations that leave out, swap or change one of them."""

_base_ = ["../../pretrain-dos-ptv3-scannet.py"]

prior = "indoor"
load = dict(type="WeightLoader")
model_hook = dict(type="ModelHook")
decay = dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2)
odr = dict(type="ODRHook", prior=prior)
scr = dict(type="SCRHook", num_clusters=8, feature="loss_stage", radius=0.12)
monitor = dict(type="OffsetMonitor", every=100)
timer = dict(type="IterationTimer", warmup_iter=2)
writer = dict(type="InformationWriter")
saver = dict(type="CheckpointSaver", save_freq=None)

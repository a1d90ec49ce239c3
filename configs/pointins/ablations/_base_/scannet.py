"""The hooks of PointINS on DOS on ScanNet one by one, for ablations that leave out, swap or change one of them."""

_base_ = ["../../pretrain-dos-ptv3-scannet.py", "hooks.py"]

prior = "indoor"
odr = dict(type="ODRHook", prior=prior)
scr = dict(type="SCRHook", num_clusters=5, feature="loss_stage", radius=0.12, late=dict(num_clusters=2))
monitor = dict(type="OffsetMonitor", every=100)

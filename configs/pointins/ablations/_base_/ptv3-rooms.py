"""The hooks of PointINS on DOS at full size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-ptv3-rooms.py", "hooks.py"]

prior = "auto"
odr = dict(type="ODRHook", prior=prior, auto_scans=16)
scr = dict(type="SCRHook", num_clusters=5, feature="loss_stage", late=dict(num_clusters=2, radius=0.08))
monitor = dict(type="OffsetMonitor", every=100)

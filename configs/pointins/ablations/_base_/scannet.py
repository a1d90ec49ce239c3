"""The hooks of PointINS on DOS on ScanNet one by one, for ablations that leave out, swap or change one of them."""

_base_ = ["../../pretrain-dos-ptv3-scannet.py", "hooks.py"]

prior = "indoor"
odr = dict(type="ODRHook", preset="indoor")
scr = dict(type="SCRHook", preset="indoor")
kmeans = dict(type="SCRHook", preset="kmeans")
monitor = dict(type="OffsetMonitor")

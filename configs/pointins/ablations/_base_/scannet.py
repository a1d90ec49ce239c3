"""The hooks of PointINS on DOS on ScanNet one by one, for ablations that leave out, swap or change one of them."""

_base_ = ["../../pretrain-dos-ptv3-scannet.py", "hooks.py"]

_prior = "indoor"
_odr = dict(type="ODRHook", preset="indoor")
_scr = dict(type="SCRHook", preset="indoor")
_kmeans = dict(type="SCRHook", preset="kmeans")
_monitor = dict(type="OffsetMonitor")

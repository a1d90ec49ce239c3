"""The hooks that the ablations on procedural rooms share, at either size of the network."""

_base_ = ["hooks.py"]

prior = "auto"
odr = dict(type="ODRHook", prior=prior, auto_scans=16)
scr = dict(type="SCRHook", preset="indoor")
kmeans = dict(type="SCRHook", preset="kmeans", late=dict(radius=0.08))
monitor = dict(type="OffsetMonitor")

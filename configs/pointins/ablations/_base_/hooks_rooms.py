"""The hooks that the ablations on procedural rooms share, at either size of the network."""

_base_ = ["hooks.py"]

_prior = "auto"
_odr = dict(type="ODRHook", prior=_prior, auto_scans=16)
_scr = dict(type="SCRHook", preset="indoor")
_kmeans = dict(type="SCRHook", preset="kmeans", late=dict(radius=0.08))
_monitor = dict(type="OffsetMonitor")

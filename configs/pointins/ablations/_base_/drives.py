"""The hooks of PointINS on DOS at laptop size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-drives.py", "hooks.py"]

# thousands of steps: the teacher may settle
model = dict(pretrainer=dict(momentum_final=0.999))
_prior = "outdoor"
_odr = dict(type="ODRHook", preset="outdoor")
_scr = dict(type="SCRHook", preset="outdoor")
_kmeans = dict(type="SCRHook", preset="kmeans_outdoor", min_points=5, late=dict(num_clusters=2, radius=0.3))
_monitor = dict(type="OffsetMonitor", canary_seed=None)

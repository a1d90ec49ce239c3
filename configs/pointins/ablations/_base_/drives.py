"""The hooks of PointINS on DOS at laptop size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-drives.py", "hooks.py"]

# thousands of steps: the teacher may settle
model = dict(pretrainer=dict(momentum_final=0.999))
prior = "outdoor"
odr = dict(type="ODRHook", preset="outdoor")
scr = dict(type="SCRHook", preset="outdoor")
kmeans = dict(type="SCRHook", preset="kmeans_outdoor", min_points=5, late=dict(num_clusters=2, radius=0.3))
monitor = dict(type="OffsetMonitor", canary_seed=None)

"""The hooks of PointINS on DOS at laptop size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-scans.py", "hooks.py"]

# thousands of steps: the teacher may settle
model = dict(pretrainer=dict(momentum_final=0.999))
_prior = "auto"
_odr = dict(type="ODRHook", prior=_prior, auto_scans=16)
_scr = dict(type="SCRHook", preset="indoor")
# 1.5 loss voxels to the end: scanned surfaces have gaps (study_targets.py on the training scans)
_kmeans = dict(type="SCRHook", preset="kmeans")
_monitor = dict(type="OffsetMonitor")

"""PointINS on DOS at laptop size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-rooms.py", "hooks_rooms.py"]

# thousands of steps: the teacher may settle
model = dict(pretrainer=dict(momentum_final=0.999))

"""PointINS on DOS at full size, for tools/ablate.py, which puts this file in the place of scannet.py."""

_base_ = ["../../pretrain-dos-ptv3-rooms.py", "hooks_rooms.py"]

"""ScanNet, data efficient: 50 labeled points a scene, full fine-tuning."""

_base_ = ["../semseg-ptv3-scannet.py"]

data = dict(train=dict(la_file="data/scannet/tasks/points/points50"))

"""ScanNet, data efficient: 20 % of the scenes labeled, full fine-tuning."""

_base_ = ["../semseg-ptv3-scannet.py"]

data = dict(train=dict(lr_file="data/scannet/tasks/scenes/20.txt"))

"""nuScenes, data efficient: 1 % of the scenes labeled, full fine-tuning."""

_base_ = ["../panseg-ptv3-nuscenes.py"]

data = dict(train=dict(share=0.01))

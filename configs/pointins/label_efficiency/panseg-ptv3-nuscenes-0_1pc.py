"""nuScenes, data efficient: one scene, scene-0392 labeled, full fine-tuning."""

_base_ = ["../panseg-ptv3-nuscenes.py"]

data = dict(train=dict(scenes=("scene-0392",)))

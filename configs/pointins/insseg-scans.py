"""Instances of one's own labeled scans, whatever their class, full fine-tuning at laptop size.

    pointins train -c pointins/insseg-scans -n NAME -w WEIGHT -- data_root=FOLDER grid_size=0.005

FOLDER holds `train` and `val`: scene folders with coord.npy, color.npy and instance.npy, -1 where there is no object.
`grid_size` is the voxel of the scans in meters; they are scaled so that it becomes 4 cm, as in pretrain-dos-scans.py.
"""

_base_ = ["_base_/insseg_small.py", "_base_/downstream_small.py", "_base_/pipelines_small.py"]

data_root = "data/scans"
grid_size = 0.04
dataset = dict(type="ScanDataset", data_root=data_root, scale=0.04 / grid_size)
ignored = (-1, 0)  # no label, background: one class is scored

model = dict(
    semantic_num_classes=2,
    segment_ignore_index=ignored,
    # 8 cm: best of 2 to 20 cm for a linear probe of DOS on the training scans of mOSD; surfaces there break up within 6
    cluster_thresh=2.0,
)
data = dict(
    num_classes=2,
    ignore_index=-1,
    names=["background", "object"],
    train=dict(dataset, split="train", transform={{_base_._objects.train}}),
    val=dict(dataset, split="val", transform={{_base_._objects.val}}),
    test=dict(dataset, split="val", transform={{_base_._objects.val}}),
)
hooks = [
    {{_base_._load}},
    {{_base_._timer}},
    {{_base_._writer}},
    dict(type="InstanceEvaluator", segment_ignore_index=ignored, instance_ignore_index=-1),
    {{_base_._saver}},
]
test = dict(type="InstanceTester", segment_ignore_index=ignored, instance_ignore_index=-1)
del dataset, ignored

"""Instance segmentation of procedural rooms with PointGroup, full fine-tuning at laptop size.

    pointins train -c pointins/insseg-rooms -n rooms_full -w exp/pointins/NAME/model/model_last.pth

`num_rooms` are labelled; rooms of the split "val" are scored.
"""

_base_ = ["_base_/downstream_small.py", "_base_/pipelines_small.py", "_base_/labels_rooms.py"]

num_rooms = 20
dataset = dict(type="SyntheticRoomsDataset", seed=0)
ignored = (-1, 0, 1)  # no label, floor, wall: 6 classes are scored

model = dict(
    type="PG-v1m2",
    semantic_num_classes={{_base_.num_classes}},
    semantic_ignore_index=-1,
    segment_ignore_index=ignored,
    instance_ignore_index=-1,
    # shifted points of one class join where they are closer than cluster_thresh * voxel_size = 6 cm
    voxel_size=0.04,
    cluster_thresh=1.5,
    cluster_closed_points=600,
    cluster_propose_points=30,
    cluster_min_points=20,
    criteria={{_base_.criteria}},
)
data = dict(
    num_classes={{_base_.num_classes}},
    ignore_index=-1,
    names={{_base_.names}},
    train=dict(dataset, split="train", num_scenes=num_rooms, transform={{_base_.rooms.train}}),
    val=dict(dataset, split="val", num_scenes=16, transform={{_base_.rooms.val}}),
    test=dict(dataset, split="val", num_scenes=16, transform={{_base_.rooms.val}}),
)

hooks = [
    {{_base_.load}},
    {{_base_.timer}},
    {{_base_.writer}},
    dict(type="InstanceEvaluator", segment_ignore_index=ignored, instance_ignore_index=-1),
    {{_base_.saver}},
]
test = dict(type="InstanceTester", segment_ignore_index=ignored, instance_ignore_index=-1)
del dataset, ignored

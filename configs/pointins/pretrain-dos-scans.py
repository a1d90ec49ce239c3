"""PointINS-on-DOS on a folder of one's own scans.

    pointins train -c pointins/pretrain-dos-scans -n NAME -- data_root=FOLDER grid_size=0.005

`grid_size` is the voxel of the scans in meters. Scans are scaled so that it becomes the 4 cm of the other small
configs: a table top gets the size of a room, and every other size keeps its meaning.
"""

_base_ = ["_base_/default_runtime.py", "_base_/pretrain_dos_small.py"]

data_root = "data/scans"
split = None  # name of a subfolder of data_root; None: all scans below it
grid_size = 0.04
seed = 0

epoch = 40  # the scenes are seen so often
eval_epoch = 8  # checkpoints are written so often

data = dict(
    train=dict(
        type="ScanDataset",
        data_root=data_root,
        split=split,
        scale=0.04 / grid_size,
        transform={{_base_._transform}},
    )
)

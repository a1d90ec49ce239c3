"""nuScenes, SemanticKITTI and Waymo in Pointcept's layouts; no label is read."""

all_splits = False  # True: the 116358 sweeps that make the paper's count of 116k; then no split is unseen
epoch = 24  # the sweeps are seen so often
eval_epoch = 24  # checkpoints are written so often

data = dict(
    train=dict(
        type="MixedDataset",
        datasets=[
            dict(
                type="NuScenesDataset",
                data_root="data/nuscenes",
                split=["train", "val", "test"] if all_splits else ["train"],
            ),
            dict(
                type="SemanticKITTIDataset",
                data_root="data/semantic_kitti",
                split=["train", "val", "test"] if all_splits else ["train"],
            ),
            dict(
                type="WaymoDataset",
                data_root="data/waymo",
                split=["training", "validation", "testing"] if all_splits else ["training"],
                # from the vehicle's frame to that of its top LiDAR, as the other two have it
                transform=[dict(type="RandomShift", shift=((-1.43, -1.43), (0, 0), (-2.184, -2.184)))],
            ),
        ],
    )
)

"""ScanNet, S3DIS and Structured3D in Pointcept's layouts; no label is read."""

all_splits = False  # True: the 23706 clouds that make the paper's count of 24k; then no split is unseen
epoch = 100  # the scenes are seen so often
eval_epoch = 100  # checkpoints are written so often

data = dict(
    train=dict(
        type="MixedDataset",
        datasets=[
            dict(
                type="ScanNetDataset",
                data_root="data/scannet",
                split=["train", "val", "test"] if all_splits else ["train"],
            ),
            dict(
                type="S3DISDataset",
                data_root="data/s3dis",
                split=[f"Area_{area}" for area in (1, 2, 3, 4, 5, 6) if all_splits or area != 5],
            ),
            dict(
                type="Structured3DDataset",
                data_root="data/structured3d",
                split=["train", "val", "test"] if all_splits else ["train"],
            ),
        ],
    )
)

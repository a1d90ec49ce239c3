"""ScanNet in Pointcept's layout; no label is read."""

all_splits = False  # True: all 1613 scans, as the paper seems to; then no split is unseen
epoch = 800  # the scenes are seen so often
eval_epoch = 100  # checkpoints are written so often

data = dict(
    train=dict(
        type="ScanNetDataset",
        data_root="data/scannet",
        split=["train", "val", "test"] if all_splits else ["train"],
    )
)

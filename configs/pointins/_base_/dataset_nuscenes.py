"""nuScenes in Pointcept's layout; no label is read."""

all_splits = False  # True: all 40157 key frames, as the paper seems to; then no split is unseen
epoch = 50  # the sweeps are seen so often
eval_epoch = 50  # checkpoints are written so often

data = dict(
    train=dict(
        type="NuScenesDataset",
        data_root="data/nuscenes",
        split=["train", "val", "test"] if all_splits else ["train"],
    )
)

"""Procedural rooms, which need no download, at the voxels and network size of real ones; no label is read."""

num_rooms = 200  # made at the start, one or two a second
epoch = 160  # the rooms are seen so often
eval_epoch = 20  # checkpoints are written so often

data = dict(train=dict(type="SyntheticRoomsDataset", split="train", num_scenes=num_rooms, seed=0))

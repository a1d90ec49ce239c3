"""Procedural rooms for a laptop; no label is read."""

num_rooms = 60
room_seed = 0

data = dict(train=dict(type="SyntheticRoomsDataset", split="train", num_scenes=num_rooms, seed=room_seed))

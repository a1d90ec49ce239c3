"""PointINS-on-Sonata on procedural rooms: 60 rooms, 600 steps, minutes on a laptop."""

_base_ = ["_base_/default_runtime.py", "_base_/pretrain_sonata_small.py"]

num_rooms = 60
room_seed = 0
seed = 0

data = dict(
    train=dict(
        type="SyntheticRoomsDataset",
        split="train",
        num_scenes=num_rooms,
        seed=room_seed,
        transform={{_base_.transform}},
    )
)

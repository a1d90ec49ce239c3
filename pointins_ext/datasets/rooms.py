"""Procedural furnished rooms as a dataset: training data with known instances that needs no download."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from pointins_ext.host import DATASETS, DefaultDataset

from .room_generator import CLASS_NAMES, STUFF, generate_room, room_centers, touching

__all__ = ["CLASS_NAMES", "STUFF", "SPLITS", "SyntheticRoomsDataset", "generate_room", "room_centers", "touching"]

SPLITS = ("train", "val", "test")


@DATASETS.register_module()
class SyntheticRoomsDataset(DefaultDataset):
    """Rooms of `generate_room` as a dataset.

    split: "train", "val", "test" or a list of them. Scene i of a split draws from SeedSequence(seed, spawn_key=(split
    index, i)): the splits share no random stream, and more scenes leave the first ones as they are. cache: generate all
    scenes at construction, so that forked workers inherit them, instead of at every access. room: knobs of
    `generate_room`. Everything else is the host's DefaultDataset. Raises ValueError for an unknown split or no scene.
    """

    def __init__(
        self,
        split="train",
        num_scenes=60,
        seed=0,
        transform=None,
        test_mode=False,
        test_cfg=None,
        loop=1,
        cache=True,
        ignore_index=-1,
        room=None,
    ):
        if num_scenes < 1:
            raise ValueError(f"num_scenes is {num_scenes}: SyntheticRoomsDataset needs at least 1 scene")
        self.num_scenes, self.seed, self.room = num_scenes, seed, dict(room or {})
        self.scenes = None
        super().__init__(
            split=split,
            data_root="synthetic_rooms",
            transform=transform,
            test_mode=test_mode,
            test_cfg=test_cfg,
            ignore_index=ignore_index,
            loop=loop,
        )
        if cache:
            progress = tqdm(self.data_list, desc=f"synthetic rooms ({split})", unit="room")
            self.scenes = [self._generate(*entry) for entry in progress]

    def get_data_list(self):
        splits = [self.split] if isinstance(self.split, str) else self.split
        if not isinstance(splits, Sequence) or not splits or not set(splits) <= set(SPLITS):
            raise ValueError(f"split is {self.split!r}: SyntheticRoomsDataset knows {', '.join(SPLITS)}")
        return [(split, index) for split in splits for index in range(self.num_scenes)]

    def get_data(self, idx):
        entry = idx % len(self.data_list)
        scene = self._generate(*self.data_list[entry]) if self.scenes is None else self.scenes[entry]
        # Transforms write into the arrays that they are given.
        return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in scene.items()}

    def get_data_name(self, idx):
        split, index = self.data_list[idx % len(self.data_list)]
        return f"room_{split}_{self.seed}_{index:04d}"

    def get_split_name(self, idx):
        return self.data_list[idx % len(self.data_list)][0]

    def _generate(self, split, index):
        seed = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), index))
        scene = generate_room(seed, name=f"room_{split}_{self.seed}_{index:04d}", **self.room)
        scene["split"] = split
        return scene

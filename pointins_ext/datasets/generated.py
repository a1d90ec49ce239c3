"""What datasets of procedural scenes share: seeds, splits and the cache."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from pointins_ext.errors import UserError
from pointins_ext.host import DefaultDataset

SPLITS = ("train", "val", "test")


class GeneratedDataset(DefaultDataset):
    """Scenes of a `generate(seed, name, **knobs)` function as a dataset.

    split: "train", "val", "test" or a list of them. Scene i of a split draws from SeedSequence(seed, spawn_key=(split
    index, i)): the splits share no random stream, and more scenes leave the first ones as they are. cache: generate all
    scenes at construction, so that forked workers inherit them, instead of at every access. knobs: keywords of
    `generate`. Everything else is the host's DefaultDataset. Raises ValueError for an unknown split or no scene.
    """

    KIND = None  # what a scene is called
    generate = None

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
        knobs=None,
    ):
        if num_scenes < 1:
            raise UserError(f"num_scenes is {num_scenes}: {type(self).__name__} needs at least 1 scene")
        if seed < 0:
            raise UserError(f"seed is {seed}: the scenes of {type(self).__name__} need one of at least 0")
        self.num_scenes, self.seed, self.knobs = num_scenes, seed, dict(knobs or {})
        self.scenes = None
        super().__init__(
            split=split,
            data_root=f"synthetic_{self.KIND}s",
            transform=transform,
            test_mode=test_mode,
            test_cfg=test_cfg,
            ignore_index=ignore_index,
            loop=loop,
        )
        if cache:
            progress = tqdm(self.data_list, desc=f"synthetic {self.KIND}s ({split})", unit=self.KIND)
            self.scenes = [self._generate(*entry) for entry in progress]

    def get_data_list(self):
        splits = [self.split] if isinstance(self.split, str) else self.split
        if not isinstance(splits, Sequence) or not splits or not set(splits) <= set(SPLITS):
            raise UserError(f"split is {self.split!r}: {type(self).__name__} knows {', '.join(SPLITS)}")
        return [(split, index) for split in splits for index in range(self.num_scenes)]

    def get_data(self, idx):
        entry = idx % len(self.data_list)
        scene = self._generate(*self.data_list[entry]) if self.scenes is None else self.scenes[entry]
        # Transforms write into the arrays that they are given.
        return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in scene.items()}

    def get_data_name(self, idx):
        split, index = self.data_list[idx % len(self.data_list)]
        return f"{self.KIND}_{split}_{self.seed}_{index:04d}"

    def get_split_name(self, idx):
        return self.data_list[idx % len(self.data_list)][0]

    def _generate(self, split, index):
        seed = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), index))
        scene = self.generate(seed, name=f"{self.KIND}_{split}_{self.seed}_{index:04d}", **self.knobs)
        return self._prepared(dict(scene, split=split))

    def _prepared(self, scene):
        """The scene as it is kept: what a subclass does to it once, before all transforms."""
        return scene

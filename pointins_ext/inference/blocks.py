"""Scenes too large for one pass, as overlapping columns on the ground plane.

Every voxel is predicted in the one block that owns it, with its surroundings around it. As all blocks give one set of
offsets, the instances are found once, in the whole scene, and no block border runs through them.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from tqdm import tqdm

# Most voxels of a pass, their surroundings included: rooms of 4 cm voxels have 10,000, floors of a building more. The
# small network of the rooms takes 0.3 GiB for them (measured on a CPU), the models of the paper several times as much.
MAX_BLOCK_VOXELS = 300_000
MARGIN_VOXELS = 64  # of surroundings on each side: 2.5 m of a room


def cut_blocks(coord: np.ndarray, margin: float, most: int = MAX_BLOCK_VOXELS) -> Iterator[tuple]:
    """Rows (own, block) of each block of voxels coord (V, 3), z up: `own` is part of `block`, all `own` are all rows.

    A block holds what lies within `margin`, in the unit of coord, of the columns that it owns, so no other block has an
    own voxel deeper inside. Columns are halved across their longer side until a block has at most `most` voxels, or is
    no wider than the margin.
    """
    ground = np.asarray(coord)[:, :2]
    stack = [(np.arange(len(ground)),) * 2]
    while stack:
        own, around = stack.pop()
        low, high = ground[own].min(axis=0), ground[own].max(axis=0)
        inside = ((ground[around] >= low - margin) & (ground[around] <= high + margin)).all(axis=1)
        block = around[inside]
        axis = int((high - low).argmax())
        if len(block) <= most or (high - low)[axis] <= margin:
            yield own, block
            continue
        left = ground[own, axis] < (low + high)[axis] / 2
        stack += [(own[~left], block), (own[left], block)]


def predict_blocks(
    blocks: list[tuple], predict: Callable[[torch.Tensor], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) offsets and (V, C) features, each row from the block that owns it.

    `blocks`: rows as `cut_blocks` gives them; `predict`: rows (B,) long of one block -> its (B, 3) and (B, C).
    """
    if len(blocks) == 1:  # features of a large scene are gigabytes, and not copied
        return predict(torch.from_numpy(blocks[0][1]))
    number = sum(len(own) for own, _ in blocks)
    results: list[np.ndarray] = []
    for own, block in tqdm(blocks, desc="blocks", unit="block", leave=False, disable=None):
        found = predict(torch.from_numpy(block))
        if not results:
            results = [np.empty((number, value.shape[1]), value.dtype) for value in found]
        place = np.searchsorted(block, own)  # both ascend
        for result, value in zip(results, found, strict=True):
            result[own] = value[place]
    return results[0], results[1]

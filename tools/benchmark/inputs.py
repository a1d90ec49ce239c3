"""What the cases work on: voxelized rooms."""

from functools import cache

import numpy as np
import torch

from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.errors import UserError
from pointins_ext.instances import instance_centers


@cache
def rooms(number: int, grid: float) -> tuple[np.ndarray, ...]:
    """Voxels of so many rooms: coord (N,3) meters, feat (N,9), center (N,3) of the instance, room (N,)."""
    dataset = SyntheticRoomsDataset(split="train", num_scenes=number, transform=[])
    parts = []
    for i in range(number):
        scene = dataset.get_data(i)
        _, first = np.unique(np.floor(scene["coord"] / grid).astype(int), axis=0, return_index=True)
        center = instance_centers(scene["coord"], scene["instance"]).numpy()[scene["instance"]]
        center[scene["instance"] < 0] = scene["coord"].mean(0)
        feat = np.concatenate([scene["coord"], scene["color"] / 127.5 - 1, scene["normal"]], axis=1)
        parts.append((scene["coord"][first], feat[first], center[first], np.full(len(first), i)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def voxels(count: int, channels: int, one_group=False, grid=0.04):
    """`count` voxels of rooms with smooth features and half-learned offsets: coord, feat, offset, group, tensors.

    one_group: the rooms stand side by side in a single scene.
    """
    coord, feat, center, room = rooms(-(-count // 9000), grid)
    if len(coord) < count:
        raise UserError(f"{count} voxels wanted, the rooms have {len(coord)}")
    coord, feat, center, room = coord[:count], feat[:count], center[:count], room[:count]
    rng = np.random.default_rng(0)
    offset = 0.6 * (center - coord) + rng.normal(0, 0.03, coord.shape)
    if one_group:
        coord = coord + np.stack([room % 10, room // 10, 0 * room], axis=1) * 12.0
        room = 0 * room
    wave = np.cos(feat @ rng.normal(0, 1, (9, channels)) + rng.uniform(0, 6, channels))
    feat = wave + rng.normal(0, 0.1, wave.shape)
    tensors = (torch.from_numpy(array.astype(np.float32)) for array in (coord, feat, offset))
    return *tensors, torch.from_numpy(room)

"""Stand-in for pointops: the nearest-neighbor search of Sonata, of the evaluators and of the testers."""

import torch

from pointins_ext.ops import neighbours

MISSING = 1e5  # distance that the compiled version reports where a cloud has fewer than k points


@torch.no_grad()
def knn_query(nsample, xyz, offset, new_xyz=None, new_offset=None):
    """The `nsample` nearest of `xyz` (N,3) for every `new_xyz` (M,3) of the same cloud.

    `offset`, `new_offset` (B,) are cumulative point counts -> index (M, nsample) int32, -1 = none, and distances.
    """
    if new_xyz is None or new_offset is None:
        new_xyz, new_offset = xyz, offset
    index = neighbours(new_xyz, xyz, _cloud(new_offset, len(new_xyz)), _cloud(offset, len(xyz)), nsample)
    distance = (new_xyz[:, None] - xyz[index]).norm(dim=2) if len(xyz) else index.float()
    return index.int(), torch.where(index >= 0, distance, MISSING)


def _cloud(offset, number):
    """Cumulative point counts (B,) -> cloud index (number,) long."""
    return torch.searchsorted(offset.long(), torch.arange(number, device=offset.device), right=True)

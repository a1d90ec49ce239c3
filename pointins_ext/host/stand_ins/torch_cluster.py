"""Stand-in for torch-cluster: the nearest-neighbor search that Pointcept's image models use."""

import torch

from pointins_ext.ops import neighbours


def knn(x, y, k, batch_x=None, batch_y=None, **_):
    """The k nearest of `x` (N,3) for every point of `y` (M,3), within its cloud -> (2, E): index of y, index of x."""
    batch_x = x.new_zeros(len(x), dtype=torch.long) if batch_x is None else batch_x
    batch_y = y.new_zeros(len(y), dtype=torch.long) if batch_y is None else batch_y
    index = neighbours(y, x, batch_y, batch_x, k)
    query = torch.arange(len(y), device=y.device)[:, None].expand_as(index)
    return torch.stack([query[index >= 0], index[index >= 0]])

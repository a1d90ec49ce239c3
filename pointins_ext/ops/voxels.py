"""Sorted integer keys of voxels: the common ground of grid pooling and of neighbor tables."""

import numpy as np
import torch

from pointins_ext.ops.arrays import as_array
from pointins_ext.ops.segment import run_heads
from pointins_ext.ops.sort import stable_sort


def voxel_key(grid_coord, batch, margin=0):
    """One integer for each cell of each cloud, increasing in (batch, x, y, z).

    grid_coord (N,3) integers >= 0, batch (N,) long -> key (N,) long, and the steps (2,) in the key that one cell along
    x and along y makes (1 along z). With a `margin`, keys of cells up to `margin` outside the grid are unique too.
    """
    grid = grid_coord.long() + margin
    extent = grid.amax(0) + margin + 1 if len(grid) else grid.new_ones(3)
    step = torch.stack([extent[1] * extent[2], extent[2]])
    return (batch * extent[0] + grid[:, 0]) * step[0] + grid[:, 1] * step[1] + grid[:, 2], step


def sorted_runs(key):
    """Group equal keys.

    key (N,) long -> order (N,) that sorts it (stable), start (R+1,) where each run of equal keys begins in the sorted
    keys, run (N,) index of the run of each entry.
    """
    key, order = stable_sort(key)
    head = run_heads(key)
    start = torch.cat([head.nonzero().squeeze(1), order.new_full((1,), len(key))])
    run = torch.empty_like(order)
    run[order] = head.cumsum(0) - 1
    return order, start, run


def voxelize(coord, grid_size=0.04):
    """Index (V,) of one representative of each occupied voxel: the first point of coord (N, 3) in it, in input order.

    The grid is anchored at the origin of the coordinates, as the host's GridSample does.
    """
    cell = np.floor(as_array(coord) / grid_size).astype(np.int64)
    key = _cell_key(cell)
    return np.sort(np.unique(key, axis=None if key.ndim == 1 else 0, return_index=True)[1])


def _cell_key(cell):
    """One integer (N,) for each cell (N, 3): they sort 8 times as fast; the cells themselves where 64 bits are few."""
    if not len(cell):
        return cell
    cell = cell - cell.min(axis=0)
    extent = cell.max(axis=0) + 1
    return np.ravel_multi_index(cell.T, extent) if np.prod(extent.astype(float)) < 2**63 else cell

"""Ranks over the points of all processes, without gathering them (ODR with scope "global")."""

import torch
import torch.distributed as dist

from pointins_ext.ops import segment_count, segment_rank

BINS = 4096


@torch.no_grad()
def global_rank(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Share (N,) of all points of all processes that lie below each `value` (N,), half its own bin's weight included.

    A histogram of `BINS` equal bins over `low`..`high` is summed over the processes (16 kB, one all-reduce), so levels
    err by at most one bin; within a bin the order of this process decides. Every process must call it, also
    without points.
    """
    place = ((value - low) / (high - low) * BINS).long().clamp(0, BINS - 1)
    own = segment_count(place, BINS)
    total = own.float()
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(total)
    below = total.cumsum(0) - total
    within = (segment_rank(value, place, BINS) - 0.5) / own[place]
    return (below[place] + within * total[place]) / total.sum().clamp_min(1)

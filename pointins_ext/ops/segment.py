"""Reductions of packed point tensors over groups (views, scenes, clusters, instances)."""

import torch

from pointins_ext.ops.sort import stable_sort


def segment_count(group, num_groups):
    """Number of points in each group.

    group (N,) long in 0..num_groups-1 -> (num_groups,) long.
    """
    # not bincount, which asks a GPU for the least and the largest entry
    one = torch.ones_like(group, dtype=torch.long)
    return one.new_zeros(num_groups).index_add_(0, group, one)


def segment_sum(value, group, num_groups):
    """Sum of the values of each group; differentiable.

    value (N, ...), group (N,) long -> (num_groups, ...). A group without points gives 0.
    """
    return value.new_zeros((num_groups, *value.shape[1:])).index_add_(0, group, value)


def segment_mean(value, group, num_groups):
    """Mean of the values of each group; differentiable.

    value (N, ...) floating, group (N,) long -> (num_groups, ...). A group without points gives 0.
    """
    count = segment_count(group, num_groups).clamp_(min=1).to(value.dtype)
    return segment_sum(value, group, num_groups) / count.view(-1, *[1] * (value.dim() - 1))


def segment_max(value, group, num_groups):
    """Maximum of the values of each group, channel by channel; differentiable (ties share the gradient).

    value (N, ...) floating, group (N,) long -> (num_groups, ...). A group without points gives 0.
    """
    # an expanded (not copied) index takes torch's fast path, also on CPU where a full index is an order slower
    index = group.view(-1, *[1] * (value.dim() - 1)).expand_as(value)
    top = value.new_zeros((num_groups, *value.shape[1:]))
    return top.scatter_reduce(0, index, value, "amax", include_self=False)


def run_heads(key):
    """(N,) bool: where a run of equal entries begins in sorted keys (N,)."""
    head = torch.ones_like(key, dtype=torch.bool)
    head[1:] = key[1:] != key[:-1]
    return head


def segment_rank(value, group, num_groups):
    """Ascending rank 1..n_g of every value within its group; equal values share their average rank.

    value (N,) float32, group (N,) long -> (N,) float32, exact for groups of up to 2**23 points.
    The ranks that ODR feeds to the prior's quantile function (paper, offset distribution regularization).
    """
    # one sort of integers for groups and values: far faster than two of floats. Bits of floats ascend like the
    # floats, those of negative ones once they are turned round; + 0.0 makes -0.0 equal to 0.0
    bits = (value.float() + 0.0).view(torch.int32)
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    key, order = stable_sort((group << 32) + (bits.long() + 2**31))
    run = run_heads(key).cumsum(0) - 1  # of equal values
    length = segment_count(run, len(key))
    count = segment_count(group, num_groups)
    before = (count.cumsum(0) - count).repeat_interleave(count, output_size=len(key))
    # integers: exact. The ranks of a run end with the sum of its length and those before
    twice = (2 * length.cumsum(0) - length + 1).repeat_interleave(length, output_size=len(key)) - 2 * before
    rank = torch.empty(len(key), device=key.device)
    return rank.scatter_(0, order, twice.float() / 2)

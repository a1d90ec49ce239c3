"""Reductions of packed point tensors over groups (views, scenes, clusters, instances)."""

import torch


def segment_count(group, num_groups):
    """Number of points in each group.

    group (N,) long in 0..num_groups-1 -> (num_groups,) long.
    """
    return torch.bincount(group, minlength=num_groups)


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


def segment_rank(value, group, num_groups):
    """Ascending rank 1..n_g of every value within its group; equal values share their average rank.

    value (N,), group (N,) long -> (N,) float32, exact for groups of up to 2**23 points.
    The ranks that ODR feeds to the prior's quantile function (paper, offset distribution regularisation).
    """
    order = torch.argsort(value, stable=True)
    order = order[torch.argsort(group[order], stable=True)]
    value, group = value[order], group[order]
    first = torch.ones_like(group, dtype=torch.bool)  # first of a run of equal values
    first[1:] = (value[1:] != value[:-1]) | (group[1:] != group[:-1])
    run = first.cumsum(0) - 1
    start = first.nonzero().squeeze(1)
    length = torch.diff(start, append=start.new_tensor([value.shape[0]]))
    count = segment_count(group, num_groups)
    start = start - (count.cumsum(0) - count)[group[start]]
    rank = torch.empty(value.shape[0], device=value.device)
    rank[order] = (start + (length + 1) / 2)[run]
    return rank

"""Centroids of instances."""

import torch

from pointins_ext.ops import segment_mean


def instance_centers(coord, instance):
    """(I, 3) tensor: centroids of the points `coord` (N, 3) of instances 0..I-1; `instance` (N,), -1 = none."""
    coord, instance = torch.as_tensor(coord), torch.as_tensor(instance)
    member = instance >= 0
    label = instance[member].long()
    return segment_mean(coord[member], label, int(label.max()) + 1 if len(label) else 0)


def true_offsets(coord, instance):
    """(N, 3) from every point `coord` (N, 3) to the centroid of its instance, NaN where `instance` (N,) is -1. Tensors.

    Instances may have any ids >= 0.
    """
    member = instance >= 0
    offset = torch.full_like(coord, torch.nan)
    own = instance[member].unique(return_inverse=True)[1]
    offset[member] = instance_centers(coord[member], own)[own] - coord[member]
    return offset

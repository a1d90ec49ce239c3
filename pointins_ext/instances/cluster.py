"""Instances as components of shifted points, and what is done with the pieces that are too small."""

import numpy as np
import torch

from pointins_ext.ops import as_array, join_nearest, radius_components

# Of the planes' own parts, in voxels; the same for every method and data set.
PLANE_RADIUS = 1.75  # voxels that touch, so that what a plane took of a car is apart from the ground
PLANE_REACH = 3.0  # how far small parts join the nearest instance, of either kind


def cluster_offsets(coord, instance_offset, radius=0.08, min_points=50, group=None, reach=0.0):
    """Instances as components of the shifted points coord + instance_offset, both (V, 3): edges up to `radius`, meters.

    group (V,): optional segment ids, which are never joined. Components under `min_points` are none: their points take
    the nearest instance within `reach` meters, else -1.
    """
    shifted = torch.as_tensor(as_array(coord)) + torch.as_tensor(as_array(instance_offset))
    group = None if group is None else torch.as_tensor(as_array(group))
    return join_leftovers(drop_small(radius_components(shifted, radius, group).numpy(), min_points), shifted, reach)


def join_leftovers(label, coord, reach):
    """Labels (V,) in which every -1 takes the label of the nearest labeled point, up to `reach` meters away."""
    left = label < 0
    if reach <= 0 or not left.any() or left.all():
        return label
    label, coord = torch.as_tensor(label), torch.as_tensor(as_array(coord))
    return join_nearest(label, coord, torch.zeros_like(label), reach).numpy()


def drop_small(label, min_points):
    """Labels renumbered 0..K-1, with those of fewer than `min_points` points set to -1."""
    count = np.bincount(label[label >= 0], minlength=1)
    number = np.where(count >= min_points, np.cumsum(count >= min_points) - 1, -1)
    return np.where(label >= 0, number[label], -1)

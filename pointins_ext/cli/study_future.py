"""What the paper leaves for later, as rows of `pointins study`: priors of what the views show, K chosen per view."""

import math

import torch
import torch.nn.functional as F

from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, PseudoInstances
from pointins_ext.branch.odr import COMPONENT
from pointins_ext.branch.targets import OffsetField
from pointins_ext.evaluation.clustering import adjusted_rand_index
from pointins_ext.evaluation.targets import same_place
from pointins_ext.instances import instance_centers, label_free_instances
from pointins_ext.ops import plane_points

CLUSTERS = (1, 2, 3, 5, 8, 12, 20)
ENOUGH = 100  # lengths, for a prior


class CropODR:
    """ODR of what lies on no dominant plane, towards the geometric instances of all crops so far.

    `direction`: a form of OffsetDistributionRegularization, or "anisotropic": the heights of the directions follow
    those of the instances, and the azimuth is uniform, because scenes may be turned about the vertical only.
    """

    def __init__(self, direction: str = "cartesian"):
        self.direction = direction
        self.offsets = []

    def refine(self, field: OffsetField) -> OffsetField:
        """The field with corrected offsets; none of what lies on planes is valid."""
        plane = planes_of_views(field)
        for view in field.view.unique():
            self._learn(field.coord[(field.view == view) & ~plane], float(field.voxel[view]))
        seen = torch.cat(self.offsets)
        if len(seen) < ENOUGH:
            return field.replace(valid=field.valid & ~plane)
        offset = field.offset.clone()
        offset[~plane] = self._odr(seen)(field.offset[~plane], field.view[~plane])
        return field.replace(offset=offset, valid=field.valid & ~plane)

    def _learn(self, coord, voxel):
        # objects are many voxels wide, and the voxels of one lie up to two apart
        label = label_free_instances(coord, radius=2 * voxel, min_points=10, remove_planes=False)
        on_object = label >= 0
        self.offsets.append(instance_centers(coord, label)[label[on_object]] - coord[on_object])

    def _odr(self, seen):
        prior = MagnitudePrior.fit(seen.norm(dim=1))
        if self.direction != "anisotropic":
            return OffsetDistributionRegularization(prior, direction=self.direction)
        return _Anisotropic(prior, F.normalize(seen, dim=1)[:, 2])


class _Anisotropic(OffsetDistributionRegularization):
    """The spherical form with the distribution of `height` (M,), components of unit vectors, for the uniform one."""

    def __init__(self, prior, height):
        super().__init__(prior, direction="spherical")
        self.height = MagnitudePrior.fit(1 + height)  # a table of quantiles above 0

    def _height(self, unit, group):
        return self.height.quantile(self._pit(unit[:, 2], group, COMPONENT)) - 1


class AdaptiveK:
    """SCR of K-means with the K, view by view, that does best by a criterion without labels.

    `criterion` (target field of one K, nothing on planes valid; view) -> a score, the higher the better.
    """

    def __init__(self, scr, criterion):
        self.scr = scr
        self.criterion = criterion

    def refine(self, field: OffsetField) -> OffsetField:
        """The field with every view's targets from its own K."""
        tried = [self._refined(field, number) for number in CLUSTERS]
        plane = planes_of_views(field)
        scored = [target.replace(valid=target.valid & ~plane) for target in tried]
        best = torch.zeros_like(field.view)
        for view in field.view.unique():
            scores = [self.criterion(target, view) for target in scored]
            best[field.view == view] = scores.index(max(scores))
        rows = torch.arange(len(best))
        label = torch.stack([target.instances.label for target in tried])[best, rows]
        # numbers of different K must not meet
        label = torch.unique(label * len(CLUSTERS) + best, return_inverse=True)[1]
        center = torch.stack([target.instances.center for target in tried])[best, rows]
        valid = torch.stack([target.instances.valid for target in tried])[best, rows]
        instances = PseudoInstances(label, center, valid, best, torch.zeros_like(valid))
        return field.replace(offset=center - field.coord, valid=field.valid & valid, instances=instances)

    def _refined(self, field, number):
        self.scr.num_clusters = number
        return self.scr.refine(field)


def planes_of_views(field: OffsetField) -> torch.Tensor:
    """(N,) bool: voxels on a dominant plane of their view."""
    plane = torch.zeros_like(field.valid)
    for view in field.view.unique():
        own = field.view == view
        plane[own] = plane_points(field.coord[own])
    return plane


def like_prior(prior: MagnitudePrior):
    """Criterion: lengths of the valid targets as near to the prior as they get (Kolmogorov-Smirnov)."""

    def score(target: OffsetField, view) -> float:
        length = target.offset[(target.view == view) & target.valid].norm(dim=1).sort().values
        if len(length) == 0:
            return -math.inf
        step = torch.arange(1, len(length) + 1) / len(length)
        return -float((prior.cdf(length) - step).abs().max())

    return score


def views_agree(target: OffsetField, view) -> float:
    """Criterion: pseudo-instances of the place that the next view shows, too, are the same there (ARI)."""
    own, other, index = same_place(target, view, (view + 1) % (int(target.view.max()) + 1))
    both = index >= 0
    if not both.any():
        return -math.inf
    label = target.instances.label
    return adjusted_rand_index(label[own][both].numpy(), label[other][index[both]].numpy())

"""The ways to make targets that `pointins study` compares: name of the row -> regularizers, in order."""

import itertools

import torch

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    SpatialClusteringRegularization,
)
from pointins_ext.branch.targets import OffsetField
from pointins_ext.cli.study_future import AdaptiveK, CropODR, like_prior, planes_of_views, views_agree
from pointins_ext.evaluation.targets import same_place
from pointins_ext.hooks import presets
from pointins_ext.hooks.regularizers import SCRHook
from pointins_ext.ops import segment_mean

AGREEMENT = 2.0  # loss voxels that the centers of two views may lie apart


def variants(prior: MagnitudePrior, preset: str, kmeans: list[dict]) -> dict[str, list]:
    """Rows of one checkpoint. prior: of ODR; preset: "indoor" or "outdoor"; kmeans: options of K-means to try."""
    odr = OffsetDistributionRegularization(prior)
    lengths = OffsetDistributionRegularization(prior, direction="keep")
    pairwise = _scr(preset)
    rows = {
        "teacher's own": [],
        "ODR": [odr],
        "ODR, lengths only": [lengths],
        "ODR, spherical": [OffsetDistributionRegularization(prior, direction="spherical")],
        "ODR off planes": [OffPlanes(odr)],
        "ODR off planes, prior of crops": [CropODR()],
        "lengths off planes, prior of crops": [CropODR("keep")],
        "anisotropic ODR off planes, prior of crops": [CropODR("anisotropic")],
        "paper": [odr, _scr("paper")],
    }
    for options in kmeans:
        name = "K-means" if len(kmeans) == 1 else _named(options)
        scr = _scr(presets.KMEANS[preset], **options)
        rows |= {
            name: [scr],
            f"ODR + {name}": [odr, scr],
            f"lengths + {name}": [lengths, scr],
            f"half offsets + {name}": [Scaled(0.5), scr],
            f"no offsets + {name}": [Scaled(0.0), scr],
            f"{name}, off planes": [OffPlanes(scr)],
            f"{name}, views agree": [scr, Agreeing()],
            f"{name}, views agree by vote": [scr, Agreeing(voted=True)],
        }
    apart = [ViewsApart(), pairwise]
    return rows | {
        "K-means, K by the prior": [AdaptiveK(_scr(presets.KMEANS[preset]), like_prior(prior))],
        "K-means, K by agreement": [AdaptiveK(_scr(presets.KMEANS[preset]), views_agree)],
        "pairwise": [pairwise],
        "ODR + pairwise": [odr, pairwise],
        "no offsets + pairwise": [Scaled(0.0), pairwise],
        "pairwise, a view at a time": apart,
        "pairwise, a view at a time, agree": [*apart, Agreeing()],
        "pairwise, no planes": [_scr(preset, planes=False)],
        "pairwise, no convexity": [_scr(preset, rule=dict(concave=-9.0, evidence=dict(concavity=0.0)))],
        "pairwise, no features": [_scr(preset, rule=dict(share=0.0, evidence=dict(affinity=0.0)))],
        "pairwise, no merging": [_scr(preset, rule=dict(evidence=dict(bias=-1e9)))],
    }


def kmeans_grid(clusters, features, radii) -> list[dict]:
    """Options of every combination."""
    return [dict(num_clusters=k, feature=f, radius=r) for f, k, r in itertools.product(features, clusters, radii)]


def _scr(preset, **options):
    scr = SCRHook(preset=preset, **options).scr
    if isinstance(scr, SpatialClusteringRegularization):
        scr.generator = torch.Generator().manual_seed(0)
    return scr


def _named(options):
    return f"K-means {options['feature']} K{options['num_clusters']} r{options['radius']:g}"


class Scaled:
    """Offsets of so much of their length: how far the graph may follow them."""

    def __init__(self, factor: float):
        self.factor = factor

    def refine(self, field: OffsetField) -> OffsetField:
        """The field with scaled offsets."""
        return field.replace(offset=self.factor * field.offset)


class OffPlanes:
    """A regularizer that sees what lies on no dominant plane of its view alone; planes get no target."""

    def __init__(self, regularizer):
        self.regularizer = regularizer

    def refine(self, field: OffsetField) -> OffsetField:
        """The field, refined where there is no plane."""
        plane = planes_of_views(field)
        # a group of its own, so that the planes' ranks and neighbors are their own
        views = dict(view=2 * field.view + plane.long(), voxel=field.voxel.repeat_interleave(2))
        apart = self.regularizer.refine(field.replace(**views))
        return apart.replace(view=field.view, voxel=field.voxel, valid=apart.valid & ~plane)


class ViewsApart:
    """Every view as a scene of its own."""

    def refine(self, field: OffsetField) -> OffsetField:
        """The field without what ties its views together."""
        return field.replace(scene=field.view)


class Agreeing:
    """Targets only where the center lies within `AGREEMENT` loss voxels of that of the next view at the same place.

    `voted`: whole pseudo-instances, by the majority of their voxels.
    """

    def __init__(self, voted: bool = False):
        self.voted = voted

    def refine(self, field: OffsetField) -> OffsetField:
        """The field, valid where both views agree."""
        agree = torch.zeros_like(field.valid)
        views = int(field.view.max()) + 1
        for view in range(views):
            own, other, index = same_place(field, view, (view + 1) % views)
            near = (field.center[own] - field.center[other][index]).norm(dim=1) <= AGREEMENT * field.voxel[view]
            agree[own] = (index >= 0) & near & field.valid[other][index]
        if self.voted:
            label = field.instances.label
            agree = segment_mean(agree.float(), label, int(label.max()) + 1)[label] > 0.5
        return field.replace(valid=field.valid & agree)

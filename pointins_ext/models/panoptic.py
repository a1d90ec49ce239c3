"""Panoptic segmentation on any backbone: semantics and offsets of things, grouped without a class."""

import torch

from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, offset2batch
from pointins_ext.models.segmentors import OffsetSegmentor, has_class
from pointins_ext.ops import join_nearest, radius_components, segment_count


@MODELS.register_module("PanSeg-v1m1")
class PanopticSegmentor(OffsetSegmentor):
    """Heads and losses of PointGroup; only points of `things` have offsets.

    things: class ids. radius: meters, one number or one for each of `things`: points that the semantics take for
    things, shifted by their offsets, join within it; classes of one radius are grouped together. min_points: smaller
    groups are none. Every point of a group gets the class that most of its points have. A point of a small group joins
    the nearest group of its class within the radius, else it stays without instance.

    In evaluation the result has seg_logits (N,C), pred_segment (N,) and pred_instance (N,), 1.. in each scene, 0 for
    stuff and for points without instance. ValueError for radii that do not fit `things`.
    """

    def __init__(
        self,
        backbone,
        backbone_out_channels,
        num_classes,
        things,
        radius,
        min_points=5,
        criteria=None,
        freeze_backbone=False,
        instance_ignore_index=-1,
    ):
        super().__init__(backbone, backbone_out_channels, num_classes, criteria, freeze_backbone, offsets=True)
        radii = [float(radius)] * len(things) if isinstance(radius, (int, float)) else [float(r) for r in radius]
        if len(radii) != len(things) or min(radii, default=1) <= 0 or not set(things) <= set(range(num_classes)):
            raise UserError(
                f"PanSeg-v1m1: radius {radius} and things {list(things)} do not fit; expected class ids below "
                f"{num_classes} and one radius in meters above 0, or one for each of them"
            )
        # 0 marks stuff
        self.register_buffer("radius", torch.zeros(num_classes), persistent=False)
        self.radius[list(things)] = torch.tensor(radii)
        self.min_points = min_points
        self.instance_ignore_index = instance_ignore_index

    def forward(self, data_dict):
        feat = self.features(data_dict)
        bias, logits = self.bias_head(feat), self.seg_head(feat)
        result = {}
        if "segment" in data_dict and "instance" in data_dict:
            labeled = has_class(data_dict["segment"], len(self.radius))
            thing = labeled & (self.radius[data_dict["segment"].where(labeled, 0)] > 0)
            known = thing & (data_dict["instance"] != self.instance_ignore_index)
            result = self.losses(data_dict, logits, bias, known)
        if self.training:
            return result
        segment, instance = self.objects(logits.argmax(1), data_dict["coord"] + bias, offset2batch(data_dict["offset"]))
        return dict(result, seg_logits=logits, pred_segment=segment, pred_instance=instance)

    @torch.no_grad()
    def objects(self, segment, shifted, batch):
        """Classes (N,) after the vote and instance ids (N,) of shifted points (N,3) in clouds `batch` (N,)."""
        segment, group = segment.clone(), torch.full_like(segment, -1)
        for radius in self.radius[self.radius > 0].unique().tolist():
            rows = (self.radius[segment] == radius).nonzero().squeeze(1)
            found = self._groups(segment[rows], shifted[rows], batch[rows], radius)
            group[rows] = torch.where(found >= 0, found + group.max() + 1, found)
            member = rows[found >= 0]
            segment[member] = majority(segment[member], found[found >= 0], len(self.radius))
        return segment, number_in_cloud(group, batch)

    def _groups(self, segment, shifted, batch, radius):
        """Groups of at least min_points, 0.., and -1; left-over points have joined the nearest one of their class."""
        group = radius_components(shifted, radius, batch)
        if not len(group):
            return group
        count = segment_count(group, int(group.max()) + 1)
        number = torch.where(count >= self.min_points, (count >= self.min_points).cumsum(0) - 1, -1)
        group = number[group]
        vote = segment.clone()
        vote[group >= 0] = majority(segment[group >= 0], group[group >= 0], len(self.radius))
        kind = batch * (int(vote.max()) + 1) + vote
        return join_nearest(group, shifted, kind, radius)


def majority(segment, group, num_classes):
    """For each point (N,) the class that is most frequent in its group; the lower id of equals."""
    if not len(group):
        return segment
    size = int(group.max()) + 1
    votes = segment_count(group * num_classes + segment, size * num_classes).view(size, num_classes)
    return votes.argmax(1)[group]


def number_in_cloud(group, batch):
    """Ids 1.. of the groups (N,) of each cloud, in the order of the groups; 0 for -1."""
    number, member = torch.zeros_like(group), group >= 0
    if not member.any():
        return number
    key, inverse = torch.unique(batch[member] * (int(group.max()) + 1) + group[member], return_inverse=True)
    cloud = torch.div(key, int(group.max()) + 1, rounding_mode="floor")
    first = torch.searchsorted(cloud, cloud)  # place of the cloud's first group
    number[member] = (torch.arange(len(key), device=key.device) - first + 1)[inverse]
    return number

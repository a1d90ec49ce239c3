"""Segmentors under Pointcept's names, for hosts that lack them: same arguments, results and tensors."""

import torch
from torch import nn

from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, Point, build_criteria, build_model, offset2batch
from pointins_ext.ops import radius_components, segment_count, segment_mean
from pointins_ext.ops.batch_norm import BatchNorm1d


class PointSegmentor(nn.Module):
    """A backbone, a linear head of semantics and, where asked, PointGroup's head of instance offsets.

    An encoder alone gives the features of all stages, up-cast to the points and joined (linear probing).
    """

    def __init__(self, backbone, backbone_out_channels, num_classes, criteria, freeze_backbone=False, offsets=False):
        super().__init__()
        self.backbone = build_model(backbone)
        if offsets:
            self.bias_head = nn.Sequential(
                nn.Linear(backbone_out_channels, backbone_out_channels),
                BatchNorm1d(backbone_out_channels, eps=1e-3, momentum=0.01),
                nn.ReLU(),
                nn.Linear(backbone_out_channels, 3),
            )
        self.seg_head = nn.Linear(backbone_out_channels, num_classes)
        self.criteria = build_criteria(criteria)
        self.channels = backbone_out_channels
        if freeze_backbone:
            self.backbone.requires_grad_(False)

    def features(self, data_dict):
        """(N, backbone_out_channels) of the points. ValueError where the backbone gives another width."""
        feat = up_cast_all(self.backbone(Point(data_dict)))
        if feat.shape[1] != self.channels:
            raise UserError(
                f"backbone_out_channels is {self.channels}, the backbone gives {feat.shape[1]}: an encoder alone gives "
                "sum(enc_channels), with a decoder it is dec_channels[0]"
            )
        return feat


def up_cast_all(point):
    """Features (N, C) of all pooling stages, carried up to the points of the first and joined, finest first."""
    feat = point.feat
    while "pooling_parent" in point.keys():
        inverse, point = point.pooling_inverse, point.pooling_parent
        feat = torch.cat([point.feat, feat[inverse]], dim=1)
    return feat


def has_class(segment, num_classes):
    """Which labels (N,) are classes: what is ignored lies below or above them."""
    return (segment >= 0) & (segment < num_classes)


def offset_losses(prediction, coord, centroid, valid):
    """PointGroup's L1 distance and negative cosine of offsets (N,3) to centroids, means over `valid` (N,) points."""
    valid = valid.float()
    target = centroid - coord
    distance = (prediction - target).abs().sum(1)
    cosine = (unit(prediction) * unit(target)).sum(1)
    return (distance * valid).sum() / (valid.sum() + 1e-8), -(cosine * valid).sum() / (valid.sum() + 1e-8)


def unit(vector):
    """Rows at length 1; zero rows stay zero."""
    return vector / (vector.norm(dim=1, keepdim=True) + 1e-8)


class DefaultSegmentorV2(PointSegmentor):
    """Semantic segmentation: dict(loss) in training, with seg_logits (N,C) in evaluation."""

    def __init__(self, num_classes, backbone_out_channels, backbone=None, criteria=None, freeze_backbone=False):
        super().__init__(backbone, backbone_out_channels, num_classes, criteria, freeze_backbone)

    def forward(self, data_dict):
        logits = self.seg_head(self.features(data_dict))
        result = {}
        if "segment" in data_dict:
            result["loss"] = self.criteria(logits, data_dict["segment"])
        return result if self.training else dict(result, seg_logits=logits)


class OffsetSegmentor(PointSegmentor):
    """A segmentor with offsets; a subclass groups the shifted points."""

    def losses(self, data_dict, logits, bias, valid):
        """The training losses; `valid` (N,): points whose offset is known."""
        segment = data_dict["segment"]
        # without a label the cross entropy of some hosts is 0/0
        seg_loss = self.criteria(logits, segment) if has_class(segment, logits.shape[1]).any() else logits.sum() * 0
        l1, cosine = offset_losses(bias, data_dict["coord"], data_dict["instance_centroid"], valid)
        return dict(loss=seg_loss + l1 + cosine, seg_loss=seg_loss, bias_l1_loss=l1, bias_cosine_loss=cosine)


class PointGroup(OffsetSegmentor):
    """Instance segmentation (Jiang et al., CVPR 2020) on shifted points alone, no score network.

    Points of one predicted class and cloud join up to cluster_thresh * voxel_size meters apart. Clusters of
    cluster_min_points become masks, those of more than cluster_propose_points proposals; the score is the mean
    probability of the class. In evaluation a batch is one scene: pred_masks (P,N), pred_scores and pred_classes (P,).
    cluster_closed_points bounds the neighbors of a point in Pointcept's buffers; the components here need no bound.
    """

    def __init__(
        self,
        backbone,
        backbone_out_channels=64,
        semantic_num_classes=20,
        semantic_ignore_index=-1,
        segment_ignore_index=(-1, 0, 1),
        instance_ignore_index=-1,
        cluster_thresh=1.5,
        cluster_closed_points=300,
        cluster_propose_points=100,
        cluster_min_points=50,
        voxel_size=0.02,
        criteria=None,
        freeze_backbone=False,
    ):
        super().__init__(backbone, backbone_out_channels, semantic_num_classes, criteria, freeze_backbone, offsets=True)
        self.segment_ignore_index = segment_ignore_index
        self.instance_ignore_index = instance_ignore_index
        self.radius = cluster_thresh * voxel_size
        self.min_points = max(cluster_min_points, cluster_propose_points + 1)

    def forward(self, data_dict):
        feat = self.features(data_dict)
        bias, logits = self.bias_head(feat), self.seg_head(feat)
        result = {}
        if "segment" in data_dict and "instance" in data_dict:
            known = data_dict["instance"] != self.instance_ignore_index
            result = self.losses(data_dict, logits, bias, known)
        return result if self.training else dict(result, **self.proposals(data_dict, logits, bias))

    def proposals(self, data_dict, logits, bias):
        """Masks of the shifted points (P,N) bool, with score and class."""
        probability, segment = logits.softmax(1).max(1)
        ignored = torch.tensor(list(self.segment_ignore_index), device=segment.device)
        grouped = (~torch.isin(segment, ignored)).nonzero().squeeze(1)
        cloud = offset2batch(data_dict["offset"])[grouped]
        part = segment[grouped] + cloud * logits.shape[1]
        shifted = (data_dict["coord"] + bias)[grouped]
        cluster = radius_components(shifted, self.radius, part)
        count = segment_count(cluster, int(cluster.max()) + 1 if len(cluster) else 0)
        large = (count >= self.min_points).nonzero().squeeze(1)
        number = torch.full_like(count, -1)
        number[large] = torch.arange(len(large), device=count.device)
        proposal = torch.full_like(segment, -1)
        proposal[grouped] = number[cluster]
        masks = proposal == torch.arange(len(large), device=count.device)[:, None]
        own = proposal >= 0
        classes = segment.new_zeros(len(large))
        classes[proposal[own]] = segment[own]
        return dict(
            pred_scores=segment_mean(probability[own], proposal[own], len(large)).cpu(),
            pred_masks=masks.cpu(),
            pred_classes=classes.cpu(),
        )


for name, model in {"DefaultSegmentorV2": DefaultSegmentorV2, "PG-v1m2": PointGroup}.items():
    if MODELS.get(name) is None:
        MODELS.register_module(name)(model)

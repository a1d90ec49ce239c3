"""The PointINS branch: plain functions and small classes on tensors, free of any host."""

from pointins_ext.branch.cut import Contacts
from pointins_ext.branch.features import StageFeatures
from pointins_ext.branch.head import OffsetHead
from pointins_ext.branch.loss import offset_loss
from pointins_ext.branch.merge import Merged, MergeEvidence, merge_regions
from pointins_ext.branch.odr import OffsetDistributionRegularization
from pointins_ext.branch.pairwise import PairwiseClusteringRegularization
from pointins_ext.branch.pose import Affine, recover_affine, transform_vectors
from pointins_ext.branch.prior import MagnitudePrior
from pointins_ext.branch.rule import GraphRule
from pointins_ext.branch.scr import PseudoInstances, SpatialClusteringRegularization
from pointins_ext.branch.targets import OffsetField, Regularizer, match, offset_targets

__all__ = [
    "Affine",
    "Contacts",
    "GraphRule",
    "MagnitudePrior",
    "MergeEvidence",
    "Merged",
    "OffsetDistributionRegularization",
    "OffsetField",
    "OffsetHead",
    "PairwiseClusteringRegularization",
    "PseudoInstances",
    "Regularizer",
    "SpatialClusteringRegularization",
    "StageFeatures",
    "match",
    "merge_regions",
    "offset_loss",
    "offset_targets",
    "recover_affine",
    "transform_vectors",
]

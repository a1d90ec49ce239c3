"""Metrics as plain functions: instance average precision, panoptic quality, agreement of partitions."""

from pointins_ext.evaluation.clustering import adjusted_rand_index, purity
from pointins_ext.evaluation.instance import InstanceAveragePrecision, instance_average_precision
from pointins_ext.evaluation.label_free import (
    cluster_offsets,
    components,
    evaluate_label_free,
    hdbscan_instances,
    kmeans_instances,
    to_raw,
    voxelise,
)
from pointins_ext.evaluation.panoptic import PanopticQuality, panoptic_quality

__all__ = [
    "InstanceAveragePrecision",
    "PanopticQuality",
    "adjusted_rand_index",
    "cluster_offsets",
    "components",
    "evaluate_label_free",
    "hdbscan_instances",
    "instance_average_precision",
    "kmeans_instances",
    "panoptic_quality",
    "purity",
    "to_raw",
    "voxelise",
]

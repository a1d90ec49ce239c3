"""Metrics as plain functions: instance average precision, panoptic quality, agreement of partitions."""

from pointins_ext.evaluation.clustering import adjusted_rand_index, purity
from pointins_ext.evaluation.instance import InstanceAveragePrecision, instance_average_precision
from pointins_ext.evaluation.label_free import evaluate_label_free, to_raw
from pointins_ext.evaluation.panoptic import PanopticQuality, panoptic_quality

__all__ = [
    "InstanceAveragePrecision",
    "PanopticQuality",
    "adjusted_rand_index",
    "evaluate_label_free",
    "instance_average_precision",
    "panoptic_quality",
    "purity",
    "to_raw",
]

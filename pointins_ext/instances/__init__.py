"""Instances of one scan, from offsets or from geometry alone: clustering, rivals, centroids, the length prior."""

from pointins_ext.instances.boxes import Boxes, oriented_boxes, upright_box
from pointins_ext.instances.centers import instance_centers, true_offsets
from pointins_ext.instances.cluster import cluster_offsets, drop_small, join_leftovers
from pointins_ext.instances.find import MIN_VOXELS, REACH_VOXELS, Instances, find_instances
from pointins_ext.instances.length_prior import fit_label_free, label_free_instances, magnitudes_from_instances
from pointins_ext.instances.rivals import components, hdbscan_instances, kmeans_instances

__all__ = [
    "MIN_VOXELS",
    "REACH_VOXELS",
    "Boxes",
    "Instances",
    "cluster_offsets",
    "components",
    "drop_small",
    "find_instances",
    "fit_label_free",
    "hdbscan_instances",
    "instance_centers",
    "join_leftovers",
    "kmeans_instances",
    "label_free_instances",
    "magnitudes_from_instances",
    "oriented_boxes",
    "true_offsets",
    "upright_box",
]

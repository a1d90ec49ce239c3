"""Point-cloud primitives: plain functions on packed tensors, on any device."""

from pointins_ext.ops.components import connected_components, neighbour_components, radius_components
from pointins_ext.ops.kmeans import kmeans
from pointins_ext.ops.neighbours import neighbours
from pointins_ext.ops.normals import estimate_normals
from pointins_ext.ops.planes import plane_points
from pointins_ext.ops.segment import segment_count, segment_max, segment_mean, segment_rank, segment_sum

__all__ = [
    "connected_components",
    "estimate_normals",
    "kmeans",
    "neighbour_components",
    "neighbours",
    "plane_points",
    "radius_components",
    "segment_count",
    "segment_max",
    "segment_mean",
    "segment_rank",
    "segment_sum",
]

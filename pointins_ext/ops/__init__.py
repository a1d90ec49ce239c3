"""Point-cloud primitives: plain functions on packed tensors, on any device."""

from pointins_ext.ops.arrays import as_array
from pointins_ext.ops.components import (
    connected_components,
    join_nearest,
    neighbor_components,
    radius_components,
)
from pointins_ext.ops.kmeans import kmeans
from pointins_ext.ops.neighbours import neighbours
from pointins_ext.ops.normals import estimate_normals, orient_normals, smooth_normals
from pointins_ext.ops.planes import largest_plane, plane_numbers, plane_points
from pointins_ext.ops.segment import segment_count, segment_max, segment_mean, segment_rank, segment_sum
from pointins_ext.ops.voxels import voxelize

__all__ = [
    "as_array",
    "connected_components",
    "estimate_normals",
    "join_nearest",
    "kmeans",
    "largest_plane",
    "neighbor_components",
    "neighbours",
    "orient_normals",
    "plane_numbers",
    "plane_points",
    "radius_components",
    "segment_count",
    "segment_max",
    "segment_mean",
    "segment_rank",
    "segment_sum",
    "smooth_normals",
    "voxelize",
]

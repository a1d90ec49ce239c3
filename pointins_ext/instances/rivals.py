"""What the offsets have to beat: components, HDBSCAN and k-means on features, each also with the planes set apart.

Lengths among the parameters are in voxels, so that one set serves scans of every size.
"""

from collections.abc import Callable

import numpy as np
import torch

from pointins_ext.instances.cluster import PLANE_RADIUS, PLANE_REACH, cluster_offsets, drop_small, join_leftovers
from pointins_ext.ops import as_array, kmeans

PLANE_MIN_POINTS = 50  # of the planes' own components


def components(coord, radius=0.06, min_points=50, reach=0.0):
    """Baseline: components of the points as they lie, which is `cluster_offsets` with zero offsets.

    The default radius is the one that serves this baseline best at 4 cm voxels.
    """
    return cluster_offsets(coord, np.zeros_like(as_array(coord)), radius, min_points, reach=reach)


def kmeans_instances(coord, feat, num_clusters=5, radius=0.08, min_points=50, seed=0, reach=0.0):
    """Baseline: k-means segments of the features (V, C), each split into its spatial components."""
    feat = torch.as_tensor(as_array(feat))
    one_group = torch.zeros(len(feat), dtype=torch.long)
    segment = kmeans(feat, one_group, num_clusters, generator=torch.Generator().manual_seed(seed))
    return cluster_offsets(coord, np.zeros_like(as_array(coord)), radius, min_points, segment, reach)


def hdbscan_instances(coord, min_cluster_size=60, min_samples=5, reach=0.0):
    """Baseline: HDBSCAN of scikit-learn on the coordinates. Its noise joins as in `cluster_offsets`, else it is -1.

    scikit-learn's own `min_samples`, the cluster size, would halve the score of this baseline.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise ImportError("HDBSCAN needs scikit-learn: pip install pointins_ext[cluster]") from error
    coord = as_array(coord)
    if len(coord) < min_cluster_size:
        return np.full(len(coord), -1, np.int64)
    # The k-d tree gives brute force's partition, but for ties, in a twentieth of its time; copy silences a warning.
    model = HDBSCAN(min_cluster_size, min_samples=min_samples, algorithm="kd_tree", n_jobs=1, copy=True)
    return join_leftovers(model.fit_predict(coord).astype(np.int64), coord, reach)


# name -> clusters (V,) of a scene's voxels, whatever their size; -1 is noise
CLUSTERINGS: dict[str, Callable[..., np.ndarray]] = {
    "components": lambda voxels, voxel, radius: components(voxels["coord"], radius * voxel, 1),
    "hdbscan": lambda voxels, voxel, min_cluster_size, min_samples: hdbscan_instances(
        voxels["coord"], min_cluster_size, min_samples
    ),
    "kmeans": lambda voxels, voxel, num_clusters, radius: kmeans_instances(
        voxels["coord"], voxels["feat"], num_clusters, radius * voxel, 1
    ),
}


def rival(name, voxel, min_points=1, reach=0.0, **clustering):
    """A method for `evaluate_label_free`: one of CLUSTERINGS, tidied.

    voxel: its edge in meters; min_points and reach as in `tidy`; clustering: the other parameters. KeyError for an
    unknown name; the method raises TypeError for parameters that the clustering does not take.
    """
    cluster = CLUSTERINGS[name]
    return lambda voxels: tidy(cluster(voxels, voxel, **clustering), voxels["coord"], voxel, min_points, reach)


def tidy(label, coord, voxel, min_points=1, reach=0.0):
    """Labels (V,) without clusters under `min_points` voxels; leftovers join the nearest within `reach` voxels."""
    return join_leftovers(drop_small(label, min_points), coord, reach * voxel)


def off_planes(method, voxels, plane):
    """Labels (V,) of `method` for the voxels that are not on a plane, the mask `plane` (V,); -1 on the planes."""
    label = np.full(len(plane), -1, np.int64)
    if not plane.all():
        label[~plane] = method({key: as_array(value)[~plane] for key, value in voxels.items()})
    return label


def with_planes(label, coord, plane, voxel):
    """Labels (V,) in which the voxels on planes are instances of their own: each spatial component of them is one.

    label: as `off_planes` gives it, and kept where there is no plane; coord (V, 3) and voxel in meters. Small
    components take the nearest instance, of either kind.
    """
    coord, joined = as_array(coord), label.copy()
    part = components(coord[plane], PLANE_RADIUS * voxel, PLANE_MIN_POINTS)
    joined[plane] = np.where(part >= 0, part + label.max(initial=-1) + 1, -1)
    return np.where(plane, join_leftovers(joined, coord, PLANE_REACH * voxel), label)

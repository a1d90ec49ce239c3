"""Clusters of a scan without labels, and their upright boxes: what PSA-v1m1 learns poses and sizes from."""

import json
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext.errors import UserError
from pointins_ext.files import whole_file
from pointins_ext.host import TRANSFORMS
from pointins_ext.instances import label_free_instances, upright_box


@TRANSFORMS.register_module()
class ClusterBoxes:
    """Adds `cluster` (N,) int64, -1 = none, and `box` (N,7) float32, the upright box of each point's cluster.

    A box is center, size (length >= width, height) and yaw of the length within [-pi/2, pi/2), in meters and the frame
    of `origin_coord`, or of `coord` where that is missing; zeros for points without cluster. Put it before
    MultiViewGenerator, with both keys in its view_keys. Both join `index_valid_keys`, so that transforms which pick
    points pick theirs too.
    Clusters are those of `label_free_instances`: what is left without dominant planes (`remove_ground`), as components
    of points up to `radius` apart or by HDBSCAN, with at least `min_points` points, at most `max_extent` meters across.
    They are found on one point for each `voxel` meters; the others follow the nearest.

    With `cache_dir` a scene is clustered once and stored as `<cache_dir>/<name>.npz`: HDBSCAN takes seconds a sweep.
    ValueError naming the file that was made from other points or with other options: a random transform (GridSample in
    train mode) that comes before this one gives other points in every epoch.
    """

    def __init__(
        self,
        method="hdbscan",
        remove_ground=True,
        min_points=30,
        radius=0.5,
        max_extent=12.0,
        voxel=0.1,
        cache_dir=None,
    ):
        if not voxel > 0:
            raise UserError(f"ClusterBoxes: voxel is {voxel}, expected an edge in meters")
        self.voxel = voxel
        self.options = dict(
            method=method, remove_planes=remove_ground, min_points=min_points, radius=radius, max_extent=max_extent
        )
        self.cache_dir = cache_dir

    def __call__(self, data_dict):
        coord = data_dict["origin_coord" if "origin_coord" in data_dict else "coord"]
        if self.cache_dir is None:
            cluster, boxes = self.cluster(coord)
        else:
            cluster, boxes = self._cached(coord, self._cache_path(data_dict))
        if "index_valid_keys" not in data_dict:
            arrays = {key: value for key, value in data_dict.items() if isinstance(value, np.ndarray) and value.ndim}
            data_dict["index_valid_keys"] = [key for key, value in arrays.items() if len(value) == len(coord)]
        data_dict["index_valid_keys"] = list(dict.fromkeys([*data_dict["index_valid_keys"], "cluster", "box"]))
        # -1 takes the last row
        data_dict.update(cluster=cluster, box=np.concatenate([boxes, np.zeros((1, 7), np.float32)])[cluster])
        return data_dict

    def cluster(self, coord):
        """cluster (N,) int64, ids 0..K-1, and boxes (K,7) float32 of coord (N,3)."""
        index = np.unique(np.floor(coord / self.voxel).astype(np.int64), axis=0, return_index=True)[1]
        thinned = torch.from_numpy(np.asarray(coord[index], np.float32))
        label = label_free_instances(thinned, **self.options).numpy()
        _, nearest = cKDTree(coord[index]).query(coord)
        cluster = label[nearest]
        member = np.flatnonzero(cluster >= 0)
        ids, cluster[member] = np.unique(cluster[member], return_inverse=True)
        member = member[np.argsort(cluster[member], kind="stable")]
        groups = np.split(coord[member], np.cumsum(np.bincount(cluster[member], minlength=len(ids)))[:-1])
        boxes = [upright_box(points) for points in groups if len(points)]
        return cluster, np.array(boxes, np.float32).reshape(-1, 7)

    # -- cache ------------------------------------------------------------------------------------------------------

    def _cached(self, coord, path):
        checksum = zlib.crc32(np.ascontiguousarray(coord, np.float32).tobytes())
        source = f"{len(coord)} points (checksum {checksum:08x}), {json.dumps(dict(self.options, voxel=self.voxel))}"
        if not path.exists():
            cluster, boxes = self.cluster(coord)
            _save(path, source=source, cluster=cluster.astype(np.int32), boxes=boxes)
            return cluster, boxes
        try:
            with np.load(path) as file:
                made_from, cluster, boxes = str(file["source"]), file["cluster"].astype(np.int64), file["boxes"]
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a file of ClusterBoxes ({error!r}); delete it") from error
        if made_from != source:
            raise UserError(
                f"{path} was made from {made_from}; the scene is now {source}. Delete the file or take another "
                "cache_dir; if the points differ from epoch to epoch, put ClusterBoxes before the random transforms"
            )
        return cluster, boxes

    def _cache_path(self, data_dict):
        if "name" not in data_dict:
            raise UserError(
                f"ClusterBoxes: the sample has no key 'name', only {sorted(data_dict)}; the cache is filed by it. Add "
                "it in the dataset or leave cache_dir out"
            )
        return Path(self.cache_dir, f"{data_dict['name']}.npz".replace(os.sep, "_"))


def _save(path, **arrays):
    """Atomically: workers that cluster the same scene at once each put a whole file in its place."""
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)

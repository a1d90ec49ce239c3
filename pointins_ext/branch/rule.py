"""The graph rule: from the features and offsets of voxels to objects, for the instances of a scan and for targets."""

import math
from dataclasses import dataclass, field

import torch

from pointins_ext.branch.cut import contacts, like_edges, pair_graph, regions, smooth_edges, turn_by_offsets
from pointins_ext.branch.merge import Merged, MergeEvidence, merge_regions
from pointins_ext.ops import segment_count, segment_mean

LARGE = 100  # voxels of an object whose offsets tell whether those of the scan are to be trusted


@dataclass(frozen=True)
class GraphRule:
    """Cut the graph of neighbors into regions that are surely one thing, then merge those that are one object.

    Every length is in voxels and every threshold a share of the scan itself, so that one setting serves rooms, table
    tops and sweeps. How they were chosen: see `MergeEvidence`; the options here afterwards, on the same scans.
    """

    radius: float = 6.0  # of the edges, each voxel has 8: sweeps leave gaps between their rings
    share: float = 0.4  # of the edges, those with the least affinity, part the first regions
    concave: float = -0.1  # concavity below which an edge parts them, too
    turn: float = 3.0  # how far the offsets of a surface point out of it before they turn it round
    trust: float = 0.6  # they may where they shrink the objects of the scan to less than this; inf: everywhere
    evidence: MergeEvidence = field(default_factory=MergeEvidence)

    def __call__(self, coord, feat, offset, normal, group, voxel: float, plane=None) -> Merged:
        """Objects of the voxels coord (N,3), of edge `voxel` meters, as labels that no two groups share.

        feat (N,C); offset (N,3) meters; normal (N,3) unit, those of neighbors turned alike; group (N,) long. What is in
        `plane` (N,) bool is not cut: each of its connected parts is one object. Planes are groups of their own.
        """
        plane = torch.zeros_like(group, dtype=torch.bool) if plane is None else plane
        graph = pair_graph(coord, feat, 2 * group + plane.long(), self.radius * voxel)
        like = like_edges(graph, self.share, plane)
        if math.isfinite(self.trust):
            merged = self._merged(graph, like, normal, plane)
            if shrinkage(coord, offset, torch.where(plane, -1, merged.label)) >= self.trust:
                return merged
        return self._merged(graph, like, turn_by_offsets(graph, like, normal, offset, self.turn * voxel, plane), plane)

    def _merged(self, graph, like, normal, plane) -> Merged:
        region = regions(graph, like & smooth_edges(graph, normal, self.concave, plane), len(normal))
        return merge_regions(region, contacts(graph, region, normal), self.evidence)


def shrinkage(coord, offset, label) -> float:
    """Median distance from the middle of its object that a shifted point has, over that which it had; NaN without any.

    coord (N,3); offset (N,3); label (N,) long, -1 = none. Objects of fewer than 100 voxels do not count. Right offsets
    bring it to 0; those of a network that does not know such scenes leave most of the distance.
    """
    coord, offset, label = (value[label >= 0] for value in (coord, offset, label))
    count = int(label.max()) + 1 if len(label) else 0
    large = (segment_count(label, count) >= LARGE)[label]
    if not large.any():
        return math.nan
    coord, offset, label = coord[large], offset[large], label[large]
    return float(_spread(coord + offset, label, count) / _spread(coord, label, count))


def _spread(point, label, count):
    return (point - segment_mean(point, label, count)[label]).norm(dim=1).median()

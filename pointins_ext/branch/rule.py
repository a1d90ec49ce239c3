"""The graph rule: from the features and offsets of voxels to objects, for the instances of a scan and for targets."""

from dataclasses import dataclass, field

from pointins_ext.branch.cut import contacts, like_edges, pair_graph, regions, smooth_edges, turn_by_offsets
from pointins_ext.branch.merge import Merged, MergeEvidence, merge_regions


@dataclass(frozen=True)
class GraphRule:
    """Cut the graph of neighbors into regions that are surely one thing, then merge those that are one object.

    Every length is in voxels and every threshold a share of the scan itself, so that one setting serves rooms, table
    tops and sweeps. How they were chosen: see `MergeEvidence`; the options here afterwards, on the same scans, `share`
    and the evidence's `affinity` again with the shipped weights, on training scenes of all kinds.
    """

    radius: float = 6.0  # of the edges, each voxel has 8: sweeps leave gaps between their rings
    share: float = 0.6  # of the edges, those with the least affinity, part the first regions
    concave: float = -0.1  # concavity below which an edge parts them, too
    turn: float = 3.0  # how far the offsets of a surface point out of it before they turn it round
    evidence: MergeEvidence = field(default_factory=MergeEvidence)

    def __call__(self, coord, feat, offset, normal, group, voxel: float) -> Merged:
        """Objects of the voxels coord (N,3), of edge `voxel` meters, as labels that no two groups share.

        feat (N,C); offset (N,3) meters; normal (N,3) unit, those of neighbors turned alike; group (N,) long. Planes
        are for the caller to take away first.
        """
        graph = pair_graph(coord, feat, group, self.radius * voxel)
        like = like_edges(graph, self.share)
        normal = turn_by_offsets(graph, like, normal, offset, self.turn * voxel)
        region = regions(graph, like & smooth_edges(graph, normal, self.concave), len(coord))
        return merge_regions(region, contacts(graph, region, normal), self.evidence)

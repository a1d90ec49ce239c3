"""The pairwise graph: which neighboring voxels belong to one object, and the contacts of the pieces that it leaves.

The same graph serves the targets of training and the instances of a scan. An edge joins neighbors of one group (a
scene); it says how much the learned features of its ends agree and whether the surface is concave there, as between a
box and the box it stands on (criterion of LCCP and CPC). Planes are taken away before.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pointins_ext.ops import connected_components, neighbours, segment_count, segment_sum

FLAT = 0.97  # cosine of two normals that belong to one surface, whatever noise says of its curvature
UNANIMOUS = 0.8  # share of a surface's outward offsets that no inward ones cancel


@dataclass(frozen=True)
class PairGraph:
    """Edges of N voxels, each pair of neighbors once."""

    source: torch.Tensor  # (E,) long
    target: torch.Tensor  # (E,) long
    direction: torch.Tensor  # (E, 3) unit, from target to source, scene frame
    affinity: torch.Tensor  # (E,) cosine of the features


@dataclass(frozen=True)
class Contacts:
    """Pairs of regions 0..R-1 that touch, each once; sums over their edges."""

    source: torch.Tensor  # (C,) long
    target: torch.Tensor  # (C,) long
    edges: torch.Tensor  # (C,) how many
    affinity: torch.Tensor  # (C,)
    concavity: torch.Tensor  # (C,)


@torch.no_grad()
def pair_graph(coord, feat, group, radius, k=8) -> PairGraph:
    """Graph of the k nearest of every voxel within `radius` meters and its group.

    coord (N,3) scene frame, meters; feat (N,C); group (N,) long.
    """
    index = neighbours(coord, coord, group, group, k + 1, radius)  # every point finds itself first
    here = torch.arange(len(coord), device=coord.device)[:, None].expand_as(index)
    found = (index >= 0) & (index != here)
    low, high = torch.minimum(here, index)[found], torch.maximum(here, index)[found]
    source, target = _pairs(low, high, len(coord))
    direction = F.normalize((coord[source] - coord[target]).float(), dim=1)
    unit = F.normalize(feat.float(), dim=1)
    return PairGraph(source, target, direction, affinity=(unit[source] * unit[target]).sum(1))


def like_edges(graph: PairGraph, share: float) -> torch.Tensor:
    """Edges (E,) bool of like features: all but the `share` with the least affinity.

    That is a quantile of the scan itself, because the features' cosines drift with training.
    """
    count = len(graph.affinity)
    if count == 0:
        return torch.zeros_like(graph.affinity, dtype=torch.bool)
    # torch.quantile takes at most 16 million values
    return graph.affinity >= graph.affinity.kthvalue(max(1, round(share * count)))[0]


def smooth_edges(graph: PairGraph, normal, concave: float) -> torch.Tensor:
    """Edges (E,) bool that cross no groove: of concavity `concave` or more.

    normal (N,3) unit, those of neighbors turned alike.
    """
    return concavity(graph, normal) >= concave


def concavity(graph: PairGraph, normal) -> torch.Tensor:
    """(E,) 0 where a contact is flat or convex, else below 0, -2 for a sharp groove. normal (N,3) unit."""
    return _concavity(graph.direction, normal[graph.source], normal[graph.target])


def turn_by_offsets(graph: PairGraph, like, normal, offset, reach: float) -> torch.Tensor:
    """Normals (N,3) that face away from the center of their object, as the offsets (N,3) tell where they are sure.

    A seat and a back rest meet in a concave edge and are one chair: the predicted center lies in front of both. So a
    surface, a region of `like` edges (E,) and of like normals, is turned round where its offsets agree on pointing out
    of it by more than `reach` meters.
    """
    surface = regions(graph, like & ((normal[graph.source] * normal[graph.target]).sum(1) > 0), len(normal))
    count = int(surface.max()) + 1 if len(surface) else 0
    outward = (normal * offset).sum(1)
    total = segment_sum(outward, surface, count)
    turned = total > torch.maximum(
        UNANIMOUS * segment_sum(outward.abs(), surface, count), reach * segment_count(surface, count)
    )
    return torch.where(turned[surface][:, None], -normal, normal)


def regions(graph: PairGraph, kept, num_voxels: int) -> torch.Tensor:
    """Regions (N,) 0..R-1 of voxels that belong together: components of the edges `kept` (E,) bool."""
    return connected_components(graph.source[kept], graph.target[kept], num_voxels)


def contacts(graph: PairGraph, region: torch.Tensor, normal: torch.Tensor) -> Contacts:
    """What separates or joins the regions (N,) that touch.

    Their concavity is taken between the mean normals of the two regions: at the very contact, estimated normals of
    both sides are rounded to the same.
    """
    apart = region[graph.source] != region[graph.target]
    source, target = region[graph.source[apart]], region[graph.target[apart]]
    count = int(region.max()) + 1 if len(region) else 0
    surface = F.normalize(segment_sum(normal.float(), region, count), dim=1)
    concavity = _concavity(graph.direction[apart], surface[source], surface[target])
    low, high = torch.minimum(source, target), torch.maximum(source, target)
    pair, edge = torch.unique(low * count + high, return_inverse=True)
    return Contacts(
        source=pair // max(count, 1),
        target=pair % max(count, 1),
        edges=segment_count(edge, len(pair)),
        affinity=segment_sum(graph.affinity[apart], edge, len(pair)),
        concavity=segment_sum(concavity, edge, len(pair)),
    )


def _concavity(direction, first, second):
    """(E,) 0 or below, from the direction (E,3) towards the first of two voxels and the normals (E,3) of both."""
    first, second = first.float(), second.float()
    bend = (direction * (first - second)).sum(1).clamp(max=0)
    return torch.where((first * second).sum(1) > FLAT, torch.zeros_like(bend), bend)


def _pairs(low, high, num_voxels):
    pair = torch.unique(low * num_voxels + high)
    return pair // num_voxels, pair % num_voxels

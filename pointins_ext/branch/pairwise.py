"""SCR's second form: pseudo-instances by decisions on pairs of neighbors, where k-means can only split."""

from functools import partial

import torch
import torch.nn.functional as F

from pointins_ext.branch.merge import MergeEvidence
from pointins_ext.branch.rule import GraphRule
from pointins_ext.branch.scr import PseudoInstances
from pointins_ext.ops import estimate_normals, orient_normals, plane_points, segment_count, segment_max, segment_mean
from pointins_ext.ops.voxels import voxel_key

# The rule of a scan's instances, stricter: at the coarse voxels of the loss, in crops, more of the edges are doubtful.
# Chosen by `pointins study` on 12 rooms and 12 table tops of the training splits.
TARGET_RULE = GraphRule(share=0.8, turn=1.0, evidence=MergeEvidence(affinity=3.0))
# Planes of a few thousand voxels need no more; the search for them would otherwise take half of the time.
PLANE_SEARCH = dict(num_samples=1024, num_hypotheses=64)


class PairwiseClusteringRegularization:
    """The objects that the graph `rule` finds in a scene, as all its views together show it.

    Crops of one scene overlap, and what one cuts off another may show: their voxels are thrown into one grid, and all
    views get the same centers. Dominant planes (floor, walls, table tops) get no target: where the middle of a floor
    lies depends on the crop. Objects of fewer than `min_points` voxels and targets longer than `max_length` meters
    (None: no cap) are invalid. For ablations only: `planes=False` looks for no plane.
    """

    def __init__(
        self,
        rule: GraphRule = TARGET_RULE,
        min_points: int = 10,
        max_length: float | None = None,
        planes: bool = True,
    ):
        self.rule = rule
        self.min_points = min_points
        self.max_length = max_length
        self.planes = planes
        self.map = map  # over scenes; SCRHook has a pool of processes

    @torch.no_grad()
    def __call__(self, coord, feat, offset, group, voxel) -> PseudoInstances:
        """Pseudo-instances of the loss voxels coord (N,3), meters, scene frame.

        The rule runs on the CPU: of its steps, made for one scene after the other, some have no other form, and the
        others would ask a GPU some 150 questions a scene.
        feat (N,C) of the teacher at the loss stage; offset (N,3) of the teacher, meters; group (N,) long: the scene;
        voxel (G,) edge of the voxels of each scene, meters.
        """
        cell, count = _cells(coord, group, voxel)
        place = segment_mean(coord, cell, count)
        scene = group.new_empty(count)
        scene[cell] = group  # all points of a cell are of one group
        feat, offset = segment_mean(F.normalize(feat.float(), dim=1), cell, count), segment_mean(offset, cell, count)
        label, plane = self._objects(*(tensor.cpu() for tensor in (place, feat, offset, scene, voxel)))
        number = int(label.max()) + 1 if count else 0
        label, plane = (tensor.to(group.device, non_blocking=True) for tensor in (label, plane))
        center = segment_mean(place, label, number)[label][cell]
        valid = ((segment_count(label, number) >= self.min_points)[label] & ~plane)[cell]
        if self.max_length is not None:
            valid &= (center - coord).norm(dim=1) <= self.max_length
        return PseudoInstances(label[cell], center, valid, plane.long()[cell], torch.zeros_like(valid))

    def refine(self, field):
        """Point the offsets of an `OffsetField` at the centroids of their objects."""
        # all views of a scene have the same; at most as many scenes as views
        voxel = segment_mean(field.voxel[field.view], field.scene, len(field.voxel))
        instances = self(field.coord, field.features.finest, field.offset, field.scene, voxel)
        return field.replace(
            offset=instances.center - field.coord, valid=field.valid & instances.valid, instances=instances
        )

    def _objects(self, coord, feat, offset, group, voxel):
        """Label (V,), unique over groups, and whether it lies on a plane (V,), of the voxels of all groups."""
        label, plane = torch.zeros_like(group), torch.zeros_like(group, dtype=torch.bool)
        rows = [(group == scene).nonzero().squeeze(1) for scene in group.unique().tolist()]
        columns = ([tensor[own].numpy() for own in rows] for tensor in (coord, feat, offset))
        edges = [float(voxel[group[own[0]]]) for own in rows]
        found = self.map(partial(scene_objects, self.rule, self.planes), *columns, edges)
        start = 0
        for own, (objects, on_plane) in zip(rows, found, strict=True):
            label[own], plane[own] = torch.from_numpy(objects) + start, torch.from_numpy(on_plane)
            start += int(objects.max()) + 1
        return label, plane


@torch.no_grad()
def scene_objects(rule: GraphRule, planes: bool, coord, feat, offset, voxel: float):
    """Label (V,), that of all planes the last, and whether it lies on a plane (V,), of the voxels of one scene.

    Arrays coord (V,3), feat (V,C), offset (V,3), meters. NumPy in and out: it goes to other processes by value.
    """
    coord, feat, offset = map(torch.from_numpy, (coord, feat, offset))
    plane = plane_points(coord, **PLANE_SEARCH) if planes else torch.zeros(len(coord), dtype=torch.bool)
    # planes, half of the voxels of a room, get no target and have no say in what stands on them
    rest = ~plane
    normal = orient_normals(coord[rest], estimate_normals(coord, where=rest))
    one = torch.zeros(len(normal), dtype=torch.long)
    merged = rule(coord[rest], feat[rest], offset[rest], normal, one, voxel)
    label = torch.full((len(coord),), len(merged.rest))
    label[rest] = merged.label
    return label.numpy(), plane.numpy()


def _cells(coord, group, voxel):
    """Cell (N,) of the grid of edge `voxel` (G,) that all views of a group share, and the number of cells."""
    corner = -segment_max(-coord, group, len(voxel))
    grid = ((coord - corner[group]) / voxel[group][:, None]).floor()
    key, inverse = torch.unique(voxel_key(grid, group)[0], return_inverse=True)
    return inverse, len(key)

"""What the branch sees in training: the teacher's offset field of augmented crops of labeled scenes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from pointins_ext.branch import OffsetField
from pointins_ext.errors import require_objects
from pointins_ext.host import Point, point_collate_fn
from pointins_ext.instances import instance_centers
from pointins_ext.models.passes import global_views, up_cast
from pointins_ext.models.pointins import PointINS, scene_field
from pointins_ext.ops import neighbours


@dataclass(frozen=True)
class LabeledCrops:
    """All views of one draw of crops of a scene: N loss voxels, and what is true there."""

    scene: int  # index in the data set
    field: OffsetField  # of the teacher, before any regularizer
    instance: torch.Tensor  # (N,) long, -1 = no object
    center: torch.Tensor  # (N, 3) centroid of the whole object, NaN where there is none
    visible: torch.Tensor  # (N,) share of the object that the voxel's own view shows


@torch.no_grad()
def training_crops(model: PointINS, dataset, indices, draws: int, seed: int = 0) -> Iterator[LabeledCrops]:
    """Crops of the scenes `indices` of a data set with instance labels, `draws` of each, as its transforms make them.

    The draws depend on seed, scene, and draw alone, so that several checkpoints see the same crops. Raises ValueError
    for a scene without an object.
    """
    level = model.pretrainer.up_cast_level
    for index in indices:
        scene = dataset.get_data(int(index))
        require_objects(scene)
        coord, instance = torch.as_tensor(scene["coord"]).float(), torch.as_tensor(scene["instance"]).flatten().long()
        for draw in range(draws):
            _seed_all(hash((seed, int(index), draw)) % 2**32)
            views = global_views(point_collate_fn([dataset.transform(dataset.get_data(int(index)))]))
            output = up_cast(model.teacher.backbone(Point(views)), level)
            field = scene_field(output, model.teacher.offset_head, output.num_views)
            yield _labeled(int(index), field, coord, instance)


def _labeled(index, field, coord, instance) -> LabeledCrops:
    member = instance[neighbours(field.coord, coord, None, None, 1).squeeze(1)]
    center = torch.full_like(field.coord, torch.nan)
    center[member >= 0] = instance_centers(coord, instance)[member[member >= 0]].to(center)
    # how much of its object a view shows: of the object's points, those that have a voxel of the view beside them
    visible = torch.zeros(len(member))
    for view in range(int(field.view.max()) + 1):
        own = field.view == view
        seen = neighbours(coord, field.coord[own], None, None, 1, 1.5 * float(field.voxel[view])).squeeze(1) >= 0
        share = torch.zeros(int(instance.max()) + 1)
        for label in member[own & (member >= 0)].unique():
            share[label] = seen[instance == label].float().mean()
        visible[own] = torch.where(member[own] >= 0, share[member[own].clamp(min=0)], 0.0)
    return LabeledCrops(index, field, member, center, visible)


def _seed_all(seed):
    """The transforms of a host draw from all three."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)

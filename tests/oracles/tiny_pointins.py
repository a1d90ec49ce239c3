"""A PointINS model that a test can afford, its batches, and a stand-in for pretrainers with local views."""

import math

import torch
from torch import nn

from pointins_ext.host import MODELS, Point, PointModel, build_model, offset2batch

GRID = 0.05


def backbone_config(**changes):
    return (
        dict(
            type="PT-v3m2",
            in_channels=6,
            order=("z", "z-trans"),
            stride=(2, 2),
            enc_depths=(0, 1, 1),
            enc_channels=(8, 16, 16),
            enc_num_head=(1, 2, 2),
            enc_patch_size=(32, 32, 32),
            drop_path=0.0,
            shuffle_orders=False,
            traceable=True,
            enc_mode=True,
            mask_token=False,
        )
        | changes
    )


def dos_config(**changes):
    return (
        dict(
            type="DOS-v1m1",
            backbone=backbone_config(),
            head_in_channels=32,
            head_hidden_channels=16,
            head_embed_channels=8,
            head_num_prototypes=12,
            mask_size_start=0.2,
            mask_size_base=0.2,
            mask_ratio_start=0.5,
            mask_ratio_base=0.5,
            up_cast_level=1,
        )
        | changes
    )


def pointins_config(pretrainer=None, **changes):
    return (
        dict(
            type="PointINS-v1m1",
            pretrainer=pretrainer or dos_config(),
            offset_head=dict(type="OffsetHead", hidden_channels=16),
            offset_warmup_steps=0,
        )
        | changes
    )


def build(config, seed=0):
    torch.manual_seed(seed)
    return build_model(config).train()


def scene_points(seed, num_points=700, size=(1.6, 1.6, 0.8)):
    """Random points (N,3), one for each occupied cell of the grid, away from its walls."""
    generator = torch.Generator().manual_seed(seed)
    cell = (torch.rand(num_points, 3, generator=generator) * torch.tensor(size) / GRID).floor()
    return (cell.unique(dim=0) + 0.5) * GRID


def about_z(degrees, scale=1.0, flip=False):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return scale * turn @ torch.diag(torch.tensor([-1.0 if flip else 1.0, 1.0, 1.0]))


VIEW_MAPS = (about_z(0), about_z(90, 0.95), about_z(33, 1.05, flip=True), about_z(-70, flip=True))


def crop(points, start, share):
    """The slab of `share` of the points along x that begins at the fraction `start`."""
    low, high = points[:, 0].min(), points[:, 0].max()
    left = low + start * (high - low)
    return points[(points[:, 0] >= left) & (points[:, 0] <= left + share * (high - low))]


def pack(prefix, views, maps):
    """Packed views: scene coordinates, a list of (N,3), each seen through its map; features: coord, color."""
    coord = [points @ m.T + 0.3 for points, m in zip(views, maps, strict=True)]
    origin = torch.cat(views)
    color = torch.sin(7 * origin)  # the same in every view
    return {
        f"{prefix}_coord": torch.cat(coord),
        f"{prefix}_origin_coord": origin,
        f"{prefix}_feat": torch.cat([torch.cat(coord), color], dim=1),
        f"{prefix}_offset": torch.tensor([len(points) for points in views]).cumsum(0),
    }


def batch(num_scenes=2, maps=VIEW_MAPS, num_local=0):
    """Two overlapping global views a scene, and `num_local` small ones."""
    scenes = [scene_points(seed) for seed in range(num_scenes)]
    views = [crop(points, start, 0.75) for points in scenes for start in (0.0, 0.25)]
    data = pack("global", views, maps[: len(views)])
    if num_local:
        small = [crop(points, 0.05 + 0.1 * i, 0.3) for points in scenes for i in range(num_local)]
        data |= pack("local", small, [about_z(17 * i) for i in range(len(small))])
    return data | dict(grid_size=torch.full((num_scenes,), GRID), name=[f"scene{i}" for i in range(num_scenes)])


class _Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(channels, 4))

    def forward(self, feat):
        return self.mlp(feat)


@MODELS.register_module("LocalViews-v1m1", force=True)
class LocalViews(PointModel):
    """Calls its networks as Sonata does: teacher on global views, student on global, then on local views."""

    def __init__(self, backbone, head_in_channels, num_local_view=4, num_global_view=2, up_cast_level=1):
        super().__init__()
        self.num_global_view, self.num_local_view, self.up_cast_level = num_global_view, num_local_view, up_cast_level
        self.student, self.teacher = (
            nn.ModuleDict(dict(backbone=build_model(backbone), mask_head=_Head(head_in_channels))) for _ in range(2)
        )
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    def forward(self, data):
        points = {prefix: self._point(data, prefix) for prefix in ("global", "local")}
        with torch.no_grad():
            self._features(self.teacher, points["global"])
        loss = sum(self._features(self.student, points[prefix]).square().mean() for prefix in points)
        return dict(loss=loss)

    def _features(self, networks, data):
        point = networks.backbone(Point(data))
        parent, inverse = point.pop("pooling_parent"), point.pop("pooling_inverse")
        return networks.mask_head(torch.cat([parent.feat, point.feat[inverse]], dim=1))

    def _point(self, data, prefix):
        view = offset2batch(data[f"{prefix}_offset"])
        coord = data[f"{prefix}_coord"]
        grid = torch.cat([(c - c.amin(0)) / GRID for c in coord.split(view.bincount().tolist())]).floor().int()
        return dict(
            coord=coord,
            origin_coord=data[f"{prefix}_origin_coord"],
            feat=data[f"{prefix}_feat"],
            batch=view,
            grid_coord=grid,
            grid_size=data["grid_size"][0],
        )

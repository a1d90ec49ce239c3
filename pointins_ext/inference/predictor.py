"""Backbone and offset head over whole scans."""

import itertools

import numpy as np
import torch

from pointins_ext.errors import UserError, notice
from pointins_ext.inference.blocks import MARGIN_VOXELS, MAX_BLOCK_VOXELS, cut_blocks, predict_blocks
from pointins_ext.inference.prediction import Prediction
from pointins_ext.models.passes import loss_voxels, up_cast
from pointins_ext.ops import estimate_normals, neighbours, voxelize

MAX_VOXELS = 2**16  # along an axis, what the curves of the backbone can number


class Predictor:
    """Runs backbone and offset head over whole scans, prepared as in training but without augmentation.

    `networks`: ModuleDict with `backbone` and `offset_head`; `grid_size`: voxel of the network, meters; `scale`: meters
    of the scan to meters of the network; `feat_keys`: the channels the backbone was trained on; `centered`: whether it
    was trained on views moved to their middle (rooms) or on sweeps around their sensor; `no_color`: what stands for
    missing colors, gray, or 0 as in RandomDropColor for a network that was trained with it. `voxel_given` says that the
    scale is a user's choice, and a scan of more than `max_block_voxels` voxels is predicted in blocks.
    """

    voxel_given = False
    max_block_voxels = MAX_BLOCK_VOXELS

    def __init__(
        self, networks, grid_size: float, feat_keys, up_cast_level: int, scale=1.0, centered=True, no_color=0.5
    ):
        self.networks = networks
        self.grid_size = grid_size
        self.feat_keys = tuple(feat_keys)
        self.up_cast_level = up_cast_level
        self.scale = scale
        self.centered = centered
        self.no_color = no_color

    @classmethod
    def from_config(cls, networks, cfg, scale: float | None = None) -> "Predictor":
        """Settings of a pretraining config: grid and channels from its transforms, levels from its model."""
        train, transform = _first_dataset(cfg), first_transform(cfg)
        sample = _step(transform, "GridSample", "grid_size")
        collect = _step(transform, "Collect", "global_feat_keys")
        keys = [key.removeprefix("global_") for key in collect["global_feat_keys"]]
        level = cfg.model.pretrainer.get("up_cast_level", 2)
        views = _step(transform, "a generator of views", "global_transform")
        centered = any(t["type"] == "CenterShift" for t in views["global_transform"])
        parts = (views.get(f"{part}_transform") or () for part in ("global_shared", "global", "local"))
        steps = itertools.chain(transform, *parts)
        no_color = 0.0 if any(step["type"] == "RandomDropColor" for step in steps) else 0.5
        return cls(networks, sample["grid_size"], keys, level, scale or train.get("scale", 1.0), centered, no_color)

    @property
    def voxel(self) -> float:
        """Edge of the voxels of a scan, meters of the scan."""
        return self.grid_size / self.scale

    @torch.no_grad()
    def __call__(self, scene: dict) -> Prediction:
        """Prediction for a scene with `coord` (N,3), meters, and what `feat_keys` needs; normals may be missing.

        A scene of more than `max_block_voxels` is predicted in overlapping blocks, see inference/blocks.py.
        """
        raw, kept, coord, channels = self._voxels(scene)

        def predict(block):
            views, inverse, offset = self._forward(coord[block], {key: value[block] for key, value in channels.items()})
            at_voxels = _interpolate(offset, views.scene_coord, coord[block].to(offset))
            return at_voxels.cpu().numpy(), views.features.finest[inverse].cpu().numpy()

        blocks = list(cut_blocks(coord.numpy(), MARGIN_VOXELS * self.grid_size, self.max_block_voxels))
        offset, feat = predict_blocks(blocks, predict)
        return Prediction(
            coord=raw[kept].numpy(),
            offset=offset / self.scale,
            feat=feat,
            normal=_own_normals(scene, kept),
            nearest=neighbours(raw, raw[kept], None, None, 1).squeeze(1).numpy(),
            voxel=self.voxel,
        )

    def check_frame(self, coord: np.ndarray, source: str, up_known: bool = False) -> None:
        """Warns (ScanWarning) of signs that z is not up or the unit another in the scan `coord` (N,3) of `source`.

        `up_known`: z is up. Raises ValueError if the unit cannot be right.
        """
        from pointins_ext.datasets.frame import check_units, check_up

        require_extent(coord, self.voxel, f"{source}: ")
        if not up_known:
            check_up(coord, source)
        check_units(coord, self.voxel, source)

    def _voxels(self, scene: dict):
        """Raw points (N,3), the V among them that stand for their voxels, these in the network's meters, and their
        channels, each (V, C).
        """
        raw = torch.as_tensor(np.asarray(scene["coord"]), dtype=torch.float32)
        require_extent(raw.numpy(), self.voxel)
        kept = torch.from_numpy(voxelize(raw.numpy() * self.scale, self.grid_size))
        coord = raw[kept] * self.scale
        moved = self._moved(coord)
        return raw, kept, coord, {key: self._channel(key, scene, kept, moved) for key in self.feat_keys}

    @torch.no_grad()
    def _forward(self, scaled: torch.Tensor, channels: dict):
        """Up-cast output of voxels (V,3) in the network's meters, their loss voxels (V,), and the offsets of these."""
        device = next(self.networks.parameters()).device
        coord = self._moved(scaled)
        batch = dict(
            coord=coord,
            origin_coord=scaled,
            grid_coord=((coord - coord.amin(0)) / self.grid_size).floor().int(),
            grid_size=torch.tensor(self.grid_size),
            feat=torch.cat([coord if key == "coord" else channels[key] for key in self.feat_keys], dim=1),
            offset=torch.tensor([len(coord)]),
        )
        batch = {key: value.to(device) for key, value in batch.items()}
        was_training = self.networks.training
        self.networks.eval()
        # the backbone draws its serialization orders: the same scan must give the same answer and leave the stream
        # alone
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            views, inverse = _to_loss_level(self.networks.backbone(batch), self.up_cast_level)
        offset = self.networks.offset_head(views.features)
        self.networks.train(was_training)
        return views, inverse, offset

    def _moved(self, coord: torch.Tensor) -> torch.Tensor:
        """Coordinates as the backbone takes them: each pass has its own origin, unless it is the sensor."""
        return coord - _center(coord) if self.centered else coord

    def _channel(self, key: str, scene: dict, kept: torch.Tensor, coord: torch.Tensor) -> torch.Tensor:
        if key == "coord":
            return coord
        if key == "color":
            color = scene.get("color")
            if color is None:
                return torch.full_like(coord, self.no_color)
            return _rows(color, kept) / 255  # as NormalizeColor
        if key == "normal":
            return self._normals(scene.get("normal"), kept, coord)
        if key == "strength" and scene.get(key) is None:
            notice("missing strength", "the scan has no strength, which the checkpoint reads: 0 stands for it")
            return torch.zeros(len(kept), 1)
        if scene.get(key) is None:
            raise UserError(f"the checkpoint needs '{key}' for every point; the scan has {', '.join(sorted(scene))}")
        return _rows(scene[key], kept).reshape(len(kept), -1)

    @staticmethod
    def _normals(normal, kept: torch.Tensor, coord: torch.Tensor) -> torch.Tensor:
        """Those of the scan; estimated where it has none, or (0, 0, 0) at a point."""
        normal = torch.zeros_like(coord) if normal is None else _rows(normal, kept)
        there = normal.any(dim=1, keepdim=True)
        return normal if there.all() else torch.where(there, normal, estimate_normals(coord))


def require_extent(coord: np.ndarray, voxel: float, source: str = "") -> None:
    """Raises ValueError if the points (N,3) lie too far apart for the codes that sort their voxels of edge `voxel`."""
    extent = float((coord.max(0) - coord.min(0)).max())
    if not extent / voxel < MAX_VOXELS:
        raise UserError(
            f"{source}the points spread over {extent:.3g} m, {extent / voxel:.3g} voxels of {voxel:.3g} m, at most "
            f"{MAX_VOXELS} can be told apart: remove outlying points, give these scans their voxel (grid_size), or "
            "divide coordinates in millimeters by 1000"
        )


def first_transform(cfg) -> list[dict]:
    """The pretraining pipeline of a config; of several data sets, that of the first."""
    return _first_dataset(cfg)["transform"]


def _first_dataset(cfg) -> dict:
    train = cfg.data.train
    while "transform" not in train:
        train = train["datasets"][0]
    return train


def _step(transform, name: str, key: str) -> dict:
    """The first step of a pretraining pipeline that has `key`. Raises ValueError if there is none."""
    step = next((step for step in transform if key in step), None)
    if step is None:
        raise UserError(
            f"data.train.transform of the checkpoint's config has no {name} ({key}): not a pretraining config"
        )
    return step


def _to_loss_level(point, levels: int):
    """Up-cast pass, and for every input voxel its loss voxel."""
    views = up_cast(point, levels)
    for _ in range(levels):
        point = point.pooling_parent
    return views, loss_voxels(point)


def _own_normals(scene: dict, kept: torch.Tensor) -> np.ndarray | None:
    """(V,3) normals of a scan that has them at all points; None where some were estimated, their sides unknown."""
    if scene.get("normal") is None or scene.get("normal_estimated"):
        return None
    normal = _rows(scene["normal"], kept)
    return normal.numpy() if normal.any(dim=1).all() else None


def _interpolate(value: torch.Tensor, coord: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Inverse-distance mean of `value` (M,C) at the three nearest of `coord` (M,3) for every `query` (N,3).

    Offsets that jump from one loss voxel to the next would tear at their borders what belongs together.
    """
    index = neighbours(query, coord, None, None, min(3, len(coord)))
    weight = 1 / ((query[:, None] - coord[index]).norm(dim=2, keepdim=True) + 1e-3)
    return (value[index] * weight).sum(1) / weight.sum(1)


def _center(coord: torch.Tensor) -> torch.Tensor:
    """The origin that CenterShift(apply_z=True) picks: middle of the box, floor level."""
    low, high = coord.amin(0), coord.amax(0)
    return torch.stack([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])


def _rows(value, kept: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(np.asarray(value), dtype=torch.float32)[kept]

"""PSA-v1m1: momentum contrast of segments or scenes, plus boxes (PSA-SSL, Nisar and Waslander, CVPR 2025)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from pointins_ext.branch import match
from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, Point, build_model
from pointins_ext.models.boxes import BoxHead, box_targets
from pointins_ext.models.passes import BackboneOutput, Passes, central_points, global_views, up_cast
from pointins_ext.models.teacher_student import TeacherStudent, mean_over_ranks
from pointins_ext.ops import segment_max
from pointins_ext.ops.voxels import voxel_key


class ProjectionHead(nn.Module):
    """Features (N,C) to unit embeddings (N,E), fp32."""

    def __init__(self, in_channels: int, hidden_channels: int, embed_channels: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.GELU(), nn.Linear(hidden_channels, embed_channels)
        )

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        embedding = self.mlp(feat)
        with torch.autocast(feat.device.type, enabled=False):
            return F.normalize(embedding.float(), dim=1)


class Segments(NamedTuple):
    """What is contrasted: S segments of a pass, one row for each view that shows it."""

    embedding: torch.Tensor  # (S, E), unit length
    label: torch.Tensor  # (S,) long, unique over scenes, the same in both views
    side: torch.Tensor  # (S,) which view of its scene, 0 or 1


@MODELS.register_module("PSA-v1m1")
class PSA(TeacherStudent):
    """Student embeddings find the teacher's of the same segment in the other view among a queue of earlier ones.

    Views come in pairs (2b, 2b+1 of scene b) under `global_*`, with `global_cluster` (N,) long, -1 = none, ids unique
    in a scene, and `global_box` (N,7), the upright box of a point's cluster in the frame of `global_origin_coord`: both
    from the transform ClusterBoxes. `contrast`: "segment" pools the features of every cluster (PSA-SC, on SegContrast),
    "scene" those of every view (PSA-DC, on DepthContrast). `anchor`: length, width, height of the anchor box, meters.
    The queue holds teacher embeddings of the last steps and is part of the checkpoint. Each process keeps its own, from
    its own scenes alone; checkpoints carry that of rank 0, with which every rank resumes.
    """

    def __init__(
        self,
        backbone,
        head_in_channels,
        head_hidden_channels=2048,
        head_embed_channels=128,
        teacher_custom=None,
        num_global_view=2,
        contrast="segment",
        queue_size=16384,
        temperature=0.1,
        anchor=(3.9, 1.6, 1.56),
        box_hidden_channels=256,
        contrast_loss_weight=1.0,
        box_loss_weight=0.5,
        momentum_base=0.999,
        momentum_final=0.999,
        up_cast_level=2,
    ):
        if num_global_view != 2:
            raise UserError(f"PSA-v1m1: num_global_view is {num_global_view}; PSA contrasts exactly 2 views")
        if contrast not in ("segment", "scene"):
            raise UserError(f"PSA-v1m1: contrast is '{contrast}'; expected 'segment' or 'scene'")
        if queue_size < 1:
            raise UserError(f"PSA-v1m1: queue_size is {queue_size}; expected at least 1 embedding")
        super().__init__(dict(momentum=(momentum_base, momentum_base, momentum_final, 0.0)), up_cast_level)
        self.contrast = contrast
        self.temperature = temperature
        self.contrast_loss_weight = contrast_loss_weight
        self.box_loss_weight = box_loss_weight

        def networks(custom):
            return dict(
                backbone=build_model({**backbone, **custom}),
                projection_head=ProjectionHead(head_in_channels, head_hidden_channels, head_embed_channels),
                box_head=BoxHead(head_in_channels, box_hidden_channels),
            )

        self.add_networks(networks, teacher_custom)
        self.register_buffer("queue", torch.zeros(queue_size, head_embed_channels))
        self.register_buffer("queue_count", torch.zeros((), dtype=torch.long))  # embeddings that ever entered
        self.register_buffer("anchor", torch.tensor(anchor, dtype=torch.float32), persistent=False)

    # -- one step ---------------------------------------------------------------------------------------------------

    def training_step(self, data_dict) -> tuple[dict, Passes]:
        """Losses of a batch, and the passes that they were computed from."""
        _check_keys(data_dict)
        views = global_views(data_dict)
        with torch.no_grad():
            teacher = up_cast(self.teacher.backbone(Point(views)), self.up_cast_level)
        output = self.student.backbone(Point(views))
        student = up_cast(output, self.up_cast_level)

        # hosts drop keys they do not know at pooling: a voxel is what the point in its middle is
        point = central_points(output, self.up_cast_level)
        cluster, box = data_dict["global_cluster"], data_dict["global_box"]
        label = self._point_labels(cluster, views["batch"])[point]
        query = self._segments(student, label, self.student.projection_head)
        with torch.no_grad():
            key = self._segments(teacher, label[_same_cells(teacher, student)], self.teacher.projection_head)
        contrast_loss = self.contrast_loss(query, key)
        box_loss = self.box_loss(student, teacher, cluster[point], box[point])
        if self.training:
            self.enqueue(key.embedding)
        loss = self.contrast_loss_weight * contrast_loss + self.box_loss_weight * box_loss
        result = dict(loss=loss, **mean_over_ranks(dict(contrast_loss=contrast_loss, box_loss=box_loss)))
        return result, Passes(teacher, (student,))

    def contrast_loss(self, query: Segments, key: Segments) -> torch.Tensor:
        """InfoNCE, mean over the queries whose segment is in the other view too; exactly zero where there are none.

        Negatives are the teacher's other segments in the opposite views of all scenes, and the queue.
        """
        opposite = query.side[:, None] != key.side
        positive = opposite & (query.label[:, None] == key.label)
        shared = positive.any(dim=1)
        if not shared.any():
            return 0.0 + query.embedding.sum() * 0.0
        # a copy, because `enqueue` overwrites what the backward pass still needs
        queue = self.queue[: min(int(self.queue_count), len(self.queue))].clone()
        with torch.autocast(query.embedding.device.type, enabled=False):
            batch = (query.embedding @ key.embedding.T).masked_fill(~opposite, -math.inf)
            logits = torch.cat([batch, query.embedding @ queue.T], dim=1) / self.temperature
        return F.cross_entropy(logits[shared], positive[shared].long().argmax(dim=1))

    def box_loss(
        self, student: BackboneOutput, teacher: BackboneOutput, cluster: torch.Tensor, box: torch.Tensor
    ) -> torch.Tensor:
        """Smooth L1 summed over the eight numbers of a box residual, mean over clustered voxels seen in both views.

        cluster (N,) and box (N,7) are those of the student voxels; zero where no voxel counts.
        """
        other = match(student.scene_coord, student.view ^ 1, teacher.scene_coord, teacher.view, teacher.scene_voxel)
        rows = ((cluster >= 0) & (other >= 0)).nonzero().squeeze(1)
        prediction = self.student.box_head(student.feat[rows], teacher.feat[other[rows]])
        pose, view = student.to_scene, student.view[rows]
        # half precision would err by decimeters at 50 meters
        with torch.autocast(prediction.device.type, enabled=False):
            to_view = torch.linalg.pinv(pose.matrix)[view]
            target = box_targets(box[rows].float(), student.coord[rows], to_view, pose.shift[view], self.anchor)
        return F.smooth_l1_loss(prediction, target, reduction="sum") / max(len(rows), 1)

    @torch.no_grad()
    def enqueue(self, embedding: torch.Tensor) -> None:
        """Put embeddings (S,E) in the place of the oldest; of more than the queue holds, the last ones stay."""
        place = self.queue_count + torch.arange(len(embedding), device=embedding.device)
        size = len(self.queue)
        self.queue[place[-size:] % size] = embedding[-size:].to(self.queue.dtype)
        self.queue_count += len(embedding)

    def _point_labels(self, cluster: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        """(N,) segment of every point, unique over the scenes of the batch, -1 = none."""
        scene = view // 2
        if self.contrast == "scene":
            return scene
        return torch.where(cluster >= 0, scene * (cluster.max() + 1) + cluster, -1)

    def _segments(self, views: BackboneOutput, label: torch.Tensor, head: ProjectionHead) -> Segments:
        member = label >= 0
        pair, row = (2 * label + views.view % 2)[member].unique(return_inverse=True)
        pooled = segment_max(views.feat[member].float(), row, len(pair))
        return Segments(embedding=head(pooled), label=pair // 2, side=pair % 2)


def _same_cells(query: BackboneOutput, support: BackboneOutput) -> torch.Tensor:
    """(N,) long: row of `support` in the cell of each row of `query`, both pooled from the same points."""
    order, found = (voxel_key(side.grid_coord, side.view)[0].argsort() for side in (query, support))
    return torch.empty_like(order).index_copy_(0, order, found)


def _check_keys(data_dict) -> None:
    missing = [key for key in ("global_cluster", "global_box") if key not in data_dict]
    if missing:
        raise UserError(
            f"PSA-v1m1: the batch has no {' and no '.join(missing)}, only {sorted(data_dict)}; put "
            "dict(type='ClusterBoxes') before MultiViewGenerator, list 'cluster' and 'box' in its view_keys, and "
            "'global_cluster' and 'global_box' in the keys of Collect"
        )

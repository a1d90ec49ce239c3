"""DOS-v1m1: distilling observable softmaps of Zipfian prototypes (Abdelsamad et al., AAAI 2026)."""

import torch
import torch.nn.functional as F

from pointins_ext.branch import match
from pointins_ext.errors import UserError
from pointins_ext.host import MODELS, Point, build_model
from pointins_ext.models.passes import Passes, global_views, observed, up_cast
from pointins_ext.models.prototypes import PrototypeHead
from pointins_ext.models.sinkhorn import zipf_sinkhorn, zipf_weights
from pointins_ext.models.teacher_student import TeacherStudent, mean_over_ranks
from pointins_ext.ops import segment_count, segment_rank
from pointins_ext.ops.voxels import sorted_runs, voxel_key


@MODELS.register_module("DOS-v1m1")
class DOS(TeacherStudent):
    """Student sees the unmasked points only and learns the teacher's softmaps over them, same view and cross view.

    Views come in pairs (2b, 2b+1 of scene b) under `global_*`. Sizes are meters, ratios are of the training steps.
    Masks are blocks of the integer grid, multiples of the loss stride, so that student voxels are a subset of teacher
    voxels.
    """

    def __init__(
        self,
        backbone,
        head_in_channels,
        head_hidden_channels=2048,
        head_embed_channels=256,
        head_num_prototypes=1024,
        teacher_custom=None,
        num_global_view=2,
        mask_size_start=0.1,
        mask_size_base=0.4,
        mask_size_warmup_ratio=0.05,
        mask_ratio_start=0.3,
        mask_ratio_base=0.7,
        mask_ratio_warmup_ratio=0.05,
        teacher_temp_start=0.04,
        teacher_temp_base=0.07,
        teacher_temp_warmup_ratio=0.05,
        student_temp=0.1,
        zipf_exponent=1.3,
        sinkhorn_iterations=3,
        scope="batch",
        momentum_base=0.994,
        momentum_final=1.0,
        up_cast_level=2,
    ):
        if num_global_view != 2:
            raise UserError(f"DOS-v1m1: num_global_view is {num_global_view}; DOS distils between exactly 2 views")
        if scope not in ("batch", "scene"):
            raise UserError(f"DOS-v1m1: scope is '{scope}'; expected 'batch' or 'scene'")
        super().__init__(
            dict(
                mask_size=(mask_size_start, mask_size_base, mask_size_base, mask_size_warmup_ratio),
                mask_ratio=(mask_ratio_start, mask_ratio_base, mask_ratio_base, mask_ratio_warmup_ratio),
                teacher_temp=(teacher_temp_start, teacher_temp_base, teacher_temp_base, teacher_temp_warmup_ratio),
                momentum=(momentum_base, momentum_base, momentum_final, 0.0),
            ),
            up_cast_level,
        )
        self.student_temp = student_temp
        self.zipf_exponent = zipf_exponent
        self.sinkhorn_iterations = sinkhorn_iterations
        self.scope = scope
        self.loss_stride = _loss_stride(backbone, up_cast_level)
        # what `prototype_perplexity` is to be held against: the balance itself favors few prototypes
        weights = zipf_weights(head_num_prototypes, zipf_exponent, torch.device("cpu"))
        self.zipf_perplexity = float(torch.special.entr(weights).sum().exp())

        def networks(custom):
            return dict(
                backbone=build_model({**backbone, **custom}),
                semantic_head=PrototypeHead(
                    head_in_channels, head_hidden_channels, head_embed_channels, head_num_prototypes
                ),
            )

        self.add_networks(networks, teacher_custom)

    # -- one step ---------------------------------------------------------------------------------------------------

    def training_step(self, data_dict) -> tuple[dict, Passes]:
        """Losses of a batch, and the passes that they were computed from."""
        views = global_views(data_dict)
        visible = self.visible_mask(views["grid_coord"], views["batch"], len(views["offset"]), views["grid_size"])
        with torch.no_grad():
            teacher = up_cast(self.teacher.backbone(Point(views)), self.up_cast_level)
        student = up_cast(self.student.backbone(Point(observed(views, visible))), self.up_cast_level)
        student_similarity = self.student.semantic_head(student.feat)

        wanted = torch.stack([student.view, student.view ^ 1])
        matches = match(student.scene_coord, wanted, teacher.scene_coord, teacher.view, teacher.scene_voxel)
        # the teacher sees more than twice what its student does: its head need not
        taught, (same, cross) = _renumbered(matches)
        with torch.no_grad():
            teacher_similarity = self.teacher.semantic_head(teacher.feat[taught])
        same_loss, softmap = self.softmap_loss(student_similarity, teacher_similarity, student.view, same)
        cross_loss, _ = self.softmap_loss(student_similarity, teacher_similarity, student.view, cross)
        result = dict(
            same_loss=same_loss,
            cross_loss=cross_loss,
            softmap_entropy=_column_entropy(softmap),
            prototype_perplexity=_perplexity(teacher_similarity),
            zipf_perplexity=same_loss.new_full((), self.zipf_perplexity),
        )
        loss = 0.5 * same_loss + 0.5 * cross_loss
        return dict(loss=loss, **mean_over_ranks(result)), Passes(teacher, (student,), matches)

    def visible_mask(
        self, grid_coord: torch.Tensor, view: torch.Tensor, num_views: int, grid_size: torch.Tensor
    ) -> torch.Tensor:
        """(N,) bool: points outside the masked blocks; the share `mask_ratio` of each view's blocks is masked.

        grid_coord (N,3) integers, cells of edge `grid_size` () meters; view (N,) long.
        """
        cells = (self.mask_size / grid_size.double() / self.loss_stride).round().long().clamp(min=1) * self.loss_stride
        key, _ = voxel_key(grid_coord // cells, view)
        order, start, member = sorted_runs(key)
        block_view = view[order[start[:-1]]]
        rank = segment_rank(torch.rand(len(block_view), device=view.device), block_view, num_views)
        # at least one block of a view stays, else its student would see nothing
        num_blocks = segment_count(block_view, num_views)
        masked = torch.minimum((num_blocks * self.mask_ratio).floor(), num_blocks - 1)
        return (rank > masked[block_view])[member]

    def softmap_loss(
        self,
        student_similarity: torch.Tensor,
        teacher_similarity: torch.Tensor,
        view: torch.Tensor,
        index: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum over both view indices of mean_k KL(teacher softmap || student softmap), and the last softmap.

        `index` (M,) is the teacher voxel of every student voxel (-1: none, left out).
        """
        group = view % 2 if self.scope == "batch" else view
        num_groups = 2 if self.scope == "batch" else int(view.max()) + 1
        loss, target = student_similarity.sum() * 0.0, teacher_similarity[:0]
        for g in range(num_groups):
            matched = ((group == g) & (index >= 0)).nonzero().squeeze(1)
            if len(matched) == 0:
                continue
            target = zipf_sinkhorn(
                teacher_similarity[index[matched]], self.teacher_temp, self.zipf_exponent, self.sinkhorn_iterations
            )
            prediction = F.log_softmax(student_similarity[matched] / self.student_temp, dim=0)
            divergence = F.kl_div(prediction, target, reduction="sum") / target.shape[1]
            loss = loss + divergence * (2 / num_groups)
        return loss, target


def _loss_stride(backbone: dict, up_cast_level: int) -> int:
    stride = backbone.get("stride", (2, 2, 2, 2))
    factor = 1
    for s in stride[: len(stride) - up_cast_level]:
        factor *= s
    return factor


def _renumbered(index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows that any of the indices asks for, ascending, and the indices into these; -1 stays -1."""
    rows = index[index >= 0].unique()
    return rows, torch.searchsorted(rows, index).where(index >= 0, -1)


def _column_entropy(softmap: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(softmap).sum(0).mean() if len(softmap) else softmap.new_zeros(())


def _perplexity(similarity: torch.Tensor) -> torch.Tensor:
    """exp(entropy) of the histogram of winning prototypes: how many are in use."""
    usage = segment_count(similarity.argmax(1), similarity.shape[1]).float()
    return torch.special.entr(usage / usage.sum()).sum().exp()

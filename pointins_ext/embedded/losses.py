"""Losses on the logits of points, and their sum."""

import torch
from torch import nn
from torch.nn import functional

from pointins_ext.embedded.registry import LOSSES
from pointins_ext.errors import UserError


def build_criteria(cfg):
    """The sum of the losses that a list of configs describes, as a module of (logits (N,C), label (N,))."""
    return Criteria([LOSSES.build(loss) for loss in cfg or []])


class Criteria(nn.Module):
    """Sum of losses; not saved, as Pointcept's is not."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses  # a plain list: class weights stay out of the checkpoint

    def forward(self, logits, label):
        # half precision cannot count points
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return sum(loss(logits, label) for loss in self.losses)


@LOSSES.register_module()
class CrossEntropyLoss:
    """Mean cross-entropy of labeled points times `loss_weight`; `weight`: one for each class.

    Exactly zero where no point has a label, or only such of classes that weigh nothing.
    """

    def __init__(self, weight=None, reduction="mean", label_smoothing=0.0, loss_weight=1.0, ignore_index=-1):
        self.weight = None if weight is None else torch.tensor(weight)
        self.options = dict(reduction=reduction, label_smoothing=label_smoothing, ignore_index=ignore_index)
        self.loss_weight = loss_weight

    def __call__(self, logits, label):
        weight = None if self.weight is None else self.weight.to(logits)
        labeled = label[label != self.options["ignore_index"]].long()
        taught = len(labeled) if weight is None else weight[labeled].any()
        if not taught:  # torch divides by their sum
            return logits.sum() * 0
        return self.loss_weight * functional.cross_entropy(logits, label.long(), weight, **self.options)


@LOSSES.register_module()
class LovaszLoss:
    """Lovasz-Softmax (Berman et al., CVPR 2018): a surrogate of 1 - IoU, mean over the classes that have labels.

    ValueError for another mode than "multiclass". Exactly zero where no point has a label.
    """

    def __init__(self, mode="multiclass", ignore_index=None, loss_weight=1.0):
        if mode != "multiclass":
            raise UserError(f"LovaszLoss: mode is {mode!r}; the embedded host knows 'multiclass' alone")
        self.ignore_index = ignore_index
        self.loss_weight = loss_weight

    def __call__(self, logits, label):
        labeled = torch.ones_like(label, dtype=torch.bool) if self.ignore_index is None else label != self.ignore_index
        probability, label = logits.softmax(1)[labeled], label[labeled]
        if len(label) == 0:
            return logits.sum() * 0
        present = [_lovasz((label == c).to(probability), probability[:, c]) for c in label.unique().tolist()]
        return self.loss_weight * torch.stack(present).mean()


def _lovasz(member, probability):
    """Lovasz extension of one class's Jaccard loss at the errors; member (M,) 0 or 1, probability (M,)."""
    error, order = (member - probability).abs().sort(descending=True)
    member = member[order]
    union = member.sum() + (1 - member).cumsum(0)
    jaccard = 1 - (member.sum() - member.cumsum(0)) / union
    return error @ torch.diff(jaccard, prepend=jaccard.new_zeros(1))

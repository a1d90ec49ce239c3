"""Semantic segmentation by the rules of Pointcept's evaluator: intersection over union of classes on points."""

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.evaluation.instance import require_length
from pointins_ext.ops import as_array


class SemanticSegmentation:
    """Accumulates points and gives mIoU, mean and overall accuracy.

    Points whose target is `ignore_index` do not count. Means are over all classes: one that is absent from target and
    prediction counts 0, as in Pointcept, where its IoU is 0 / (0 + 1e-10).
    """

    def __init__(self, num_classes, ignore_index=-1):
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.confusion = np.zeros((num_classes, num_classes), np.int64)  # target by prediction

    def update(self, prediction, target):
        """Adds points: classes (N,) of both. ValueError for a class out of range."""
        prediction, target = as_array(prediction).astype(np.int64), as_array(target).astype(np.int64)
        require_length("prediction", prediction, len(target))
        valid = target != self.ignore_index
        for name, values in (("prediction", prediction[valid]), ("target", target[valid])):
            wrong = values[(values < 0) | (values >= self.num_classes)]
            if len(wrong):
                raise UserError(
                    f"{name} holds classes {np.unique(wrong)[:5].tolist()}; expected 0..{self.num_classes - 1}"
                )
        joint = target[valid] * self.num_classes + prediction[valid]
        self.confusion += np.bincount(joint, minlength=self.num_classes**2).reshape(self.confusion.shape)

    def merge(self, other):
        """Adds the points of another accumulator of the same settings."""
        self.confusion += other.confusion

    def compute(self):
        """Returns `miou`, `macc`, `allacc` and the arrays `class_iou`, `class_acc` (num_classes,)."""
        shared, labeled, predicted = self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)
        iou = shared / np.maximum(labeled + predicted - shared, 1)
        accuracy = shared / np.maximum(labeled, 1)
        return dict(
            miou=float(iou.mean()),
            macc=float(accuracy.mean()),
            allacc=float(shared.sum() / max(labeled.sum(), 1)),
            class_iou=iou,
            class_acc=accuracy,
        )

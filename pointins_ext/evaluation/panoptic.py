"""Panoptic quality with the rules of the nuScenes and SemanticKITTI evaluators."""

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.evaluation.instance import require_length
from pointins_ext.ops import as_array

COUNTS = ("true", "overlap", "false_positive", "false_negative", "shared", "predicted", "labeled")


class PanopticQuality:
    """Accumulates scans and gives PQ, SQ, RQ, PQ-dagger and IoU (Kirillov 2019; Porzi 2019 for the dagger).

    Points whose target class is ignored are removed first. A segment is a (class, instance id) pair, ids as given: a
    stuff class is one segment if all its points carry one id, and thing points without an instance form a segment of
    their own. Pairs with IoU > 0.5 are true positives of any size; unmatched segments count from `min_points` on
    (15 in nuScenes, 50 in SemanticKITTI). Predicting an ignored class is a miss, never a false positive.
    Absent classes count 0 in every mean.

    num_classes: class ids are 0..num_classes-1, ignored ones included; things: ids of the thing classes;
    ignore_index: one id or several, which need not lie in that range.
    """

    def __init__(self, num_classes, things, ignore_index=-1, min_points=15):
        self.num_classes = num_classes
        self.ignored = np.atleast_1d(ignore_index)
        self.min_points = min_points
        self.classes = np.setdiff1d(np.arange(num_classes), self.ignored)
        self.things = np.isin(self.classes, list(things))
        if self.things.sum() != len(set(things)):
            raise UserError(f"things {sorted(things)} must be among the evaluated classes {self.classes.tolist()}")
        self.counts = {name: np.zeros(num_classes) for name in COUNTS}

    def update(self, prediction, target):
        """Adds one scan; both arguments are (segment (N,), instance (N,)) on the raw points."""
        prediction, target = (tuple(as_array(x).astype(np.int64) for x in pair) for pair in (prediction, target))
        for name, values in (("prediction segment", prediction[0]), ("prediction instance", prediction[1])):
            require_length(name, values, len(target[0]))
        require_length("target instance", target[1], len(target[0]))
        self._check_classes("prediction", prediction[0])
        self._check_classes("target", target[0])

        valid = ~np.isin(target[0], self.ignored)
        prediction, target = ([x[valid] for x in pair] for pair in (prediction, target))
        self._count_points(prediction[0], target[0])
        self._count_segments(prediction, target)

    def merge(self, other):
        """Adds the counts of another accumulator of the same settings: scans split over workers give one result."""
        for name in COUNTS:
            self.counts[name] += other.counts[name]

    def compute(self):
        """Returns `pq`, `sq`, `rq`, `pq_dagger`, `miou`, `pq_things`, `pq_stuff`, `class_{pq,sq,rq,iou}`.

        The last four are (num_classes,). Absent and ignored classes are 0; ignored ones do not enter the means.
        """
        c = self.counts
        sq = ratio(c["overlap"], c["true"])
        rq = ratio(c["true"], c["true"] + 0.5 * c["false_positive"] + 0.5 * c["false_negative"])
        iou = ratio(c["shared"], c["predicted"] + c["labeled"] - c["shared"])
        pq = sq * rq
        values = {"pq": pq, "sq": sq, "rq": rq, "iou": iou}
        means = {name: mean(value[self.classes]) for name, value in values.items()}
        means["miou"] = means.pop("iou")
        things, stuff = self.classes[self.things], self.classes[~self.things]
        means |= {"pq_things": mean(pq[things]), "pq_stuff": mean(pq[stuff])}
        means["pq_dagger"] = mean(np.concatenate([pq[things], iou[stuff]]))
        return means | {f"class_{name}": value for name, value in values.items()}

    def _check_classes(self, name, segment):
        wrong = np.setdiff1d(segment, np.concatenate([self.classes, self.ignored]))
        if len(wrong):
            raise UserError(
                f"{name} segment holds classes {wrong[:5].tolist()}; expected 0..{self.num_classes - 1} "
                f"or the ignored {self.ignored.tolist()}"
            )

    def _count_points(self, predicted, labeled):
        self.counts["shared"] += self._per_class(labeled[predicted == labeled])
        self.counts["predicted"] += self._per_class(predicted)
        self.counts["labeled"] += self._per_class(labeled)

    def _count_segments(self, prediction, target):
        category, size, member = segments(*prediction)
        true_category, true_size, true_member = segments(*target)
        joint, shared = np.unique(member * max(len(true_size), 1) + true_member, return_counts=True)
        ours, theirs = np.divmod(joint, max(len(true_size), 1))
        iou = shared / (size[ours] + true_size[theirs] - shared)
        match = (category[ours] == true_category[theirs]) & (iou > 0.5)
        ours, theirs, iou = ours[match], theirs[match], iou[match]

        self.counts["true"] += self._per_class(true_category[theirs])
        self.counts["overlap"] += self._per_class(true_category[theirs], iou)
        self.counts["false_positive"] += self._per_class(self._unmatched(category, size, ours))
        self.counts["false_negative"] += self._per_class(self._unmatched(true_category, true_size, theirs))

    def _unmatched(self, category, size, matched):
        left = size >= self.min_points
        left[matched] = False
        return category[left]

    def _per_class(self, category, weight=None):
        evaluated = np.isin(category, self.classes)
        weight = None if weight is None else weight[evaluated]
        return np.bincount(category[evaluated], weight, minlength=self.num_classes)


def panoptic_quality(prediction, target, num_classes, things, ignore_index=-1, min_points=15):
    """Panoptic quality of one scan: arguments and rules as in `PanopticQuality`, result as its `compute`.

    prediction, target: (segment (N,), instance (N,)).
    """
    metric = PanopticQuality(num_classes, things, ignore_index, min_points)
    metric.update(prediction, target)
    return metric.compute()


def segments(category, instance):
    """Segments of a scan: category (S,), size (S,) in points and the segment of each point (N,)."""
    ids, instance = np.unique(instance, return_inverse=True)
    stride = max(len(ids), 1)
    key, member, size = np.unique(category * stride + instance, return_inverse=True, return_counts=True)
    return key // stride, size, member


def ratio(above, below):
    """above / below, 0 where below is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def mean(values):
    """Mean; 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0

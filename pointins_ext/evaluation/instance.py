"""Instance average precision with the rules of the ScanNet benchmark, on sparse point labels."""

from dataclasses import dataclass

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.ops import as_array

THRESHOLDS = np.append(np.arange(0.5, 0.95, 0.05), 0.25)


@dataclass
class SceneOverlap:
    """What average precision needs of one scene: P predictions, G objects and their same-class overlaps."""

    category: np.ndarray  # (P,)
    score: np.ndarray  # (P,)
    size: np.ndarray  # (P,) points
    void: np.ndarray  # (P,) points on no valid class
    object_category: np.ndarray  # (G,)
    object_size: np.ndarray  # (G,) points
    pair: np.ndarray  # (2, E) prediction and object that share points, by ascending object, then prediction
    shared: np.ndarray  # (E,) points


class InstanceAveragePrecision:
    """Accumulates scenes and gives mAP, AP50 and AP25 as the ScanNet script and Pointcept's evaluator do.

    Per class and IoU threshold (strictly greater): objects take predictions greedily, a second prediction on the same
    object is a false positive with the lower score, and an unmatched prediction is forgiven if the share of its points
    on void, ignored classes and objects under `min_points` exceeds the threshold. Predictions under `min_points` are
    dropped. mAP is the mean over 0.50, 0.55 ... 0.90 and over the classes that have objects.

    `class_agnostic` takes every object as one class; points without an instance or of an ignored class are void.
    """

    def __init__(
        self, num_classes=1, segment_ignore_index=(-1,), instance_ignore_index=-1, min_points=100, class_agnostic=False
    ):
        self.num_classes = 1 if class_agnostic else num_classes
        self.ignored = np.atleast_1d(segment_ignore_index)
        self.instance_ignore_index = instance_ignore_index
        self.min_points = min_points
        self.class_agnostic = class_agnostic
        self.scenes = []

    @property
    def classes(self):
        valid = np.arange(self.num_classes)
        return valid if self.class_agnostic else np.setdiff1d(valid, self.ignored)

    def update(self, prediction, target):
        """Adds one scene of N points and K predicted instances.

        prediction: dict of `instance` (N,) with ids 0..K-1 and -1 for none, `score` (K,) and `category` (K,); `masks`
            (K, N) in the place of `instance` may overlap. Without `score` the size in points is the score;
            class-agnostic scoring needs no `category`.
        target: dict of `instance` (N,), any ids, and `segment` (N,), which class-agnostic scoring may lack.
            An object has the class of its first point.
        """
        instance, segment = self._read_target(target)
        owner, point, score, category = self._read_prediction(prediction, len(instance))
        self.scenes.append(self._overlap(owner, point, score, category, instance, segment))

    def merge(self, other):
        """Adds the scenes that another accumulator of the same settings has seen."""
        self.scenes.extend(other.scenes)

    def compute(self):
        """Returns `map`, `ap50`, `ap25` and the arrays `class_ap`, `class_ap50`, `class_ap25` (num_classes,).

        nan: the class has no object (or is ignored); such classes do not enter the means.
        """
        table = np.full((self.num_classes, len(THRESHOLDS)), np.nan)
        for column, threshold in enumerate(THRESHOLDS):
            matches = [match_scene(scene, threshold, self.min_points) for scene in self.scenes]
            for category in self.classes:
                table[category, column] = self._class_average_precision(category, matches)
        per_class = dict(class_ap=table[:, :-1].mean(axis=1), class_ap50=table[:, 0], class_ap25=table[:, -1])
        names = dict(map="class_ap", ap50="class_ap50", ap25="class_ap25")
        return {name: nanmean(per_class[key]) for name, key in names.items()} | per_class

    def _class_average_precision(self, category, matches):
        if not any(np.any(self._objects(scene) == category) for scene in self.scenes):
            return np.nan
        entries = np.concatenate([entry[entry[:, 0] == category] for entry, _ in matches])
        missed = sum(np.count_nonzero(missing == category) for _, missing in matches)
        return average_precision(entries[:, 1].astype(bool), entries[:, 2], missed)

    def _objects(self, scene):
        return scene.object_category[scene.object_size >= self.min_points]

    def _read_target(self, target):
        instance = as_array(target["instance"]).astype(np.int64)
        if not self.class_agnostic:
            segment = as_array(target["segment"]).astype(np.int64)
            require_length("target segment", segment, len(instance))
            return instance, segment
        void = instance == self.instance_ignore_index
        if "segment" in target:
            void |= np.isin(as_array(target["segment"]), self.ignored)
        return instance, np.where(void, -1, 0)

    def _read_prediction(self, prediction, num_points):
        """Pairs of a prediction and one of its points (E,) each; score and category (K,)."""
        owner, point = members(prediction, num_points)
        size = np.bincount(owner)
        score = as_array(prediction.get("score", size)).astype(np.float64)
        if len(size) > len(score):
            raise UserError(
                f"prediction instance holds id {len(size) - 1}, but there are {len(score)} scores; ids must be 0..K-1"
            )
        if np.isnan(score).any():
            raise UserError("prediction score holds NaN: it cannot be ranked")
        if self.class_agnostic:
            return owner, point, score, np.zeros(len(score), np.int64)
        category = as_array(prediction["category"]).astype(np.int64)
        require_length("prediction category", category, len(score))
        return owner, point, score, category

    def _overlap(self, owner, point, score, category, instance, segment):
        ids, first, member, object_size = np.unique(
            instance, return_index=True, return_inverse=True, return_counts=True
        )
        object_category = np.where(ids == self.instance_ignore_index, -1, segment[first])
        void = ~np.isin(segment, self.classes)
        size = np.bincount(owner, minlength=len(score))
        # Objects are the major key: the greedy match walks them in id order, predictions in stored order.
        joint, shared = np.unique(member[point] * len(score) + owner, return_counts=True)
        pair = np.stack([joint % max(len(score), 1), joint // max(len(score), 1)])
        kept = (size >= self.min_points) & (size > 0) & np.isin(category, self.classes)
        relevant = (
            kept[pair[0]]
            & np.isin(object_category[pair[1]], self.classes)
            & (category[pair[0]] == object_category[pair[1]])
        )
        renumber = np.cumsum(kept) - 1
        return SceneOverlap(
            category=category[kept],
            score=score[kept],
            size=size[kept],
            void=np.bincount(owner[void[point]], minlength=len(score))[kept],
            object_category=object_category,
            object_size=object_size,
            pair=np.stack([renumber[pair[0, relevant]], pair[1, relevant]]),
            shared=shared[relevant],
        )


def instance_average_precision(predictions, targets, num_classes=1, **settings):
    """Average precision of one scene (two dicts) or of many (two sequences of dicts).

    Dicts as in `InstanceAveragePrecision.update`, settings as its arguments, result as its `compute`.
    """
    if isinstance(predictions, dict):
        predictions, targets = [predictions], [targets]
    metric = InstanceAveragePrecision(num_classes, **settings)
    for prediction, target in zip(predictions, targets, strict=True):
        metric.update(prediction, target)
    return metric.compute()


def members(prediction, num_points):
    """Predictions and points that belong together, (E,) each, of `masks` (K, N) or of `instance` (N,)."""
    if "masks" in prediction:
        masks = as_array(prediction["masks"])
        if masks.ndim != 2 or masks.shape[1] != num_points:
            raise UserError(f"prediction masks have shape {masks.shape}, expected (K, {num_points})")
        return np.nonzero(masks)
    label = as_array(prediction["instance"]).astype(np.int64)
    require_length("prediction instance", label, num_points)
    point = np.flatnonzero(label >= 0)
    return label[point], point


def match_scene(scene, threshold, min_points):
    """Matches one scene at one IoU threshold.

    Returns the entries of the precision-recall curve, (R, 3) rows of category, 1 true or 0 false positive, score,
    and the categories of the missed objects.
    """
    predicted, objects = scene.pair
    union = scene.size[predicted] + scene.object_size[objects] - scene.shared
    close = scene.shared / union > threshold
    small = scene.object_size < min_points

    entries, found = [], np.zeros(len(small), bool)
    taken = np.zeros(len(scene.score), bool)
    edges = close & ~small[objects]
    for index in np.unique(objects[edges]):
        rivals = [p for p in predicted[edges & (objects == index)] if not taken[p]]
        if not rivals:
            continue
        # Only the first is taken: a rejected rival may still match a later object, as in the official script.
        taken[rivals[0]] = found[index] = True
        ranked = np.sort(scene.score[rivals])[::-1]
        entries += [(scene.object_category[index], rank == 0, score) for rank, score in enumerate(ranked)]

    matched = np.zeros(len(scene.score), bool)
    matched[predicted[close]] = True
    on_small = np.bincount(predicted, scene.shared * small[objects], minlength=len(matched))
    forgiven = (scene.void + on_small) / scene.size > threshold
    entries += [(scene.category[p], False, scene.score[p]) for p in np.flatnonzero(~matched & ~forgiven)]
    return np.array(entries, np.float64).reshape(-1, 3), scene.object_category[~small & ~found]


def average_precision(positive, score, missed):
    """Area under ScanNet's precision-recall curve: a point per distinct score, closed by recall 0, precision 1.

    positive: (R,) bool, score: (R,), missed: objects that no prediction found.
    """
    distinct, rank = np.unique(score, return_inverse=True)
    true = np.bincount(rank[positive], minlength=len(distinct))[::-1].cumsum()[::-1]
    taken = np.bincount(rank, minlength=len(distinct))[::-1].cumsum()[::-1]
    precision = np.append(true / taken, 1.0)
    recall = np.append(true / max(positive.sum() + missed, 1), 0.0)
    # Each point weighs half the recall step on either side; both ends are repeated.
    step = np.convolve(np.concatenate([recall[:1], recall, [0.0]]), [-0.5, 0.0, 0.5], "valid")
    return float(precision @ step)


def nanmean(values):
    """Mean without nan; nan, and no warning, where nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def require_length(name, values, length):
    """Raises ValueError unless `values` is (length,)."""
    if values.shape != (length,):
        raise UserError(f"{name} has shape {values.shape}, expected ({length},)")

"""Slow restatement of the ScanNet instance benchmark from its rules: dense masks, one class and threshold at a time.

Shares no code with pointins_ext. A prediction is (mask (N,) bool, category, score); a target is (segment, instance).
"""

import numpy as np

SWEEP = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]


def scannet_ap(scenes, classes, min_points=100, no_instance=-1):
    """scenes: list of (predictions, segment, instance) -> dict(map, ap50, ap25) and ap[(category, threshold)]."""
    ap = {(c, t): class_ap(scenes, c, t, classes, min_points, no_instance) for c in classes for t in [*SWEEP, 0.25]}
    per_class = {c: np.mean([ap[c, t] for t in SWEEP]) for c in classes}

    def average(values):
        values = [v for v in values if not np.isnan(v)]
        return np.mean(values) if values else np.nan

    return {
        "map": average(per_class.values()),
        "ap50": average([ap[c, 0.5] for c in classes]),
        "ap25": average([ap[c, 0.25] for c in classes]),
        "per_class": per_class,
    }


def class_ap(scenes, category, threshold, classes, min_points, no_instance):
    outcomes, misses, total = [], 0, 0  # outcomes: (score, is true positive)
    any_prediction = False
    for predictions, segment, instance in scenes:
        void = np.array([s not in classes for s in segment], bool)
        masks = [instance == i for i in sorted(set(instance.tolist()) - {no_instance})]
        objects = [m for m in masks if segment[np.flatnonzero(m)[0]] == category]
        large = [m for m in objects if m.sum() >= min_points]
        small = [m for m in objects if m.sum() < min_points]
        candidates = [(m, s) for m, c, s in predictions if c == category and m.sum() >= max(min_points, 1)]
        total += len(large)
        any_prediction |= bool(candidates)

        used = set()
        for target in large:
            best = None
            for i, (mask, score) in enumerate(candidates):
                if i in used or iou(mask, target) <= threshold:
                    continue
                if best is None:
                    best = score
                    used.add(i)
                else:
                    outcomes.append((min(best, score), False))
                    best = max(best, score)
            if best is None:
                misses += 1
            else:
                outcomes.append((best, True))
        for mask, score in candidates:
            if any(iou(mask, target) > threshold for target in objects):
                continue
            excused = (mask & void).sum() + sum((mask & target).sum() for target in small)
            if excused / mask.sum() <= threshold:
                outcomes.append((score, False))
    if total == 0:
        return np.nan
    if not any_prediction:
        return 0.0
    return curve_area(outcomes, misses)


def curve_area(outcomes, misses):
    positives = sum(true for _, true in outcomes)
    curve = []
    for cut in sorted({score for score, _ in outcomes}):
        above = [true for score, true in outcomes if score >= cut]
        curve.append((sum(above) / (positives + misses), sum(above) / len(above)))
    curve.append((0.0, 1.0))
    recall = [curve[0][0], *(r for r, _ in curve), 0.0]
    # numpy's convolution with [-0.5, 0, 0.5] is half the previous recall minus half the next one
    return sum(p * 0.5 * (recall[i] - recall[i + 2]) for i, (_, p) in enumerate(curve))


def iou(a, b):
    return (a & b).sum() / (a | b).sum()

"""Slow restatement of panoptic quality (nuScenes, SemanticKITTI): sets of points, one pair of segments at a time."""

import numpy as np


def panoptic(scans, num_classes, ignore, min_points):
    """scans: list of (segment, instance, target segment, target instance) -> (pq, sq, rq, iou), each (num_classes,)."""
    tp, fp, fn, overlap, inter, union = np.zeros((6, num_classes))
    for scan in scans:
        for c in set(range(num_classes)) - set(ignore):
            points = [(i, *values) for i, values in enumerate(zip(*scan, strict=True)) if values[2] not in ignore]
            ours, theirs = {}, {}
            for i, segment, instance, true_segment, true_instance in points:
                if segment == c:
                    ours.setdefault(instance, set()).add(i)
                if true_segment == c:
                    theirs.setdefault(true_instance, set()).add(i)
            pairs = [(a, b) for a in ours for b in theirs if len(ours[a] & theirs[b]) * 2 > len(ours[a] | theirs[b])]
            overlap[c] += sum(len(ours[a] & theirs[b]) / len(ours[a] | theirs[b]) for a, b in pairs)
            tp[c] += len(pairs)
            fp[c] += sum(len(ours[a]) >= min_points for a in set(ours) - {a for a, _ in pairs})
            fn[c] += sum(len(theirs[b]) >= min_points for b in set(theirs) - {b for _, b in pairs})
            mine, other = set().union(*ours.values()), set().union(*theirs.values())
            inter[c] += len(mine & other)
            union[c] += len(mine | other)
    sq = overlap / np.maximum(tp, 1)
    rq = tp / np.maximum(tp + fp / 2 + fn / 2, 0.5)
    return sq * rq, sq, rq, inter / np.maximum(union, 1)

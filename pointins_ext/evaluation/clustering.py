"""Agreement of two partitions of the same points."""

import numpy as np

from pointins_ext.errors import UserError


def adjusted_rand_index(prediction, target):
    """Rand index of two labelings (N,), corrected for chance (Hubert and Arabie 1985): 1 equal, 0 random.

    Any integer ids; every id is a cluster, -1 too.
    """
    predicted, true, joint = (_pairs(counts) for counts in _contingency(prediction, target))
    total = _pairs(np.array([len(prediction)]))
    expected = predicted * true / total if total else 0.0
    best = (predicted + true) / 2
    return float((joint - expected) / (best - expected)) if best != expected else 1.0


def purity(prediction, target):
    """Share of points whose target label is the most frequent one of their predicted cluster, labels (N,)."""
    if len(prediction) == 0:
        return 1.0
    cluster, label = (np.unique(np.asarray(x), return_inverse=True)[1] for x in (prediction, target))
    joint, count = np.unique(cluster * (label.max() + 1) + label, return_counts=True)
    best = np.zeros(cluster.max() + 1, np.int64)
    np.maximum.at(best, joint // (label.max() + 1), count)
    return float(best.sum() / len(cluster))


def _contingency(prediction, target):
    prediction, target = np.asarray(prediction), np.asarray(target)
    if prediction.shape != target.shape:
        raise UserError(f"labelings have shapes {prediction.shape} and {target.shape}, expected the same (N,)")
    cluster, predicted = np.unique(prediction, return_inverse=True, return_counts=True)[1:]
    label, true = np.unique(target, return_inverse=True, return_counts=True)[1:]
    joint = np.unique(cluster * max(len(true), 1) + label, return_counts=True)[1]
    return predicted, true, joint


def _pairs(counts):
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1)).sum() / 2)

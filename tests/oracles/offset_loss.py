"""Slow restatement of the offset loss: one point at a time."""

import numpy as np


def offset_loss(prediction, target, valid):
    """Mean over valid points of the L1 distance plus one minus the cosine; 0 where none is valid."""
    terms = []
    for o, t in zip(prediction[valid], target[valid], strict=True):
        cosine = o @ t / (np.linalg.norm(o) * np.linalg.norm(t))
        terms.append(np.abs(o - t).sum() + 1 - cosine)
    return np.mean(terms) if terms else 0.0

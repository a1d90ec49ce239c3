"""Slow restatement of ODR for one view, from its definition: ranks by SciPy, quantiles by numpy."""

import numpy as np
from scipy.stats import rankdata


def levels(value):
    """u_i = (rank_i - 0.5) / N, ties share their mean rank."""
    return (rankdata(value, method="average") - 0.5) / len(value)


def inverse_cdf(quantiles, level):
    return np.interp(level, np.linspace(0, 1, len(quantiles)), quantiles)


def odr(offset, quantiles, direction="cartesian", strength=1.0):
    """(N,3) float64; lengths of `offset` must not be zero."""
    length = np.linalg.norm(offset, axis=1)
    unit = offset / length[:, None]
    if direction == "cartesian":
        regular = np.stack([2 * levels(unit[:, axis]) - 1 for axis in range(3)], axis=1)
        regular /= np.linalg.norm(regular, axis=1, keepdims=True)
    elif direction == "spherical":
        height = 2 * levels(unit[:, 2]) - 1
        angle = (2 * levels(np.arctan2(unit[:, 1], unit[:, 0])) - 1) * np.pi
        regular = np.stack([np.cos(angle), np.sin(angle), height], axis=1)
        regular[:, :2] *= np.sqrt(1 - height**2)[:, None]
    else:
        regular = unit
    corrected = inverse_cdf(quantiles, levels(length))[:, None] * regular
    return (1 - strength) * offset + strength * corrected

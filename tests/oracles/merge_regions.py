"""Slow restatement of greedy merging: after every merge the evidence of all pairs is worked out anew from the start."""

import math
from itertools import combinations

import numpy as np


def evidence(weights, edges, affinity, concavity, size):
    """What speaks for joining two regions; `size` is a pair."""
    return (
        weights["bias"]
        + weights["contact"] * math.log(edges / math.sqrt(min(size)))
        + weights["concavity"] * concavity / edges
        + weights["affinity"] * (affinity / edges - 1)
    )


def all_evidence(weights, label, region, contacts):
    """{(a, b): evidence} of all pairs of labels that touch; contacts are (source, target, edges, affinity, concavity).

    label (R,) of every region, region (N,) of every point.
    """
    found = {}
    for a, b in combinations(sorted(set(label)), 2):
        between = [row[2:] for row in contacts if {label[row[0]], label[row[1]]} == {a, b}]
        if between:
            size = [np.count_nonzero(np.array(label)[region] == number) for number in (a, b)]
            found[a, b] = evidence(weights, *np.sum(between, axis=0), size)
    return found


def merge_regions(weights, region, contacts):
    """Label (R,) of every region, and {label: strongest evidence that is left}, -inf where a label touches nothing."""
    label = list(range(region.max() + 1))
    while True:
        found = all_evidence(weights, label, region, contacts)
        best = max(found, key=found.get, default=None)
        if best is None or found[best] <= 0:
            break
        label = [best[0] if number == best[1] else number for number in label]
    rest = {a: max([v for pair, v in found.items() if a in pair], default=-math.inf) for a in set(label)}
    return label, rest

"""Slow restatement of Sonata's loss in plain loops, float64."""

import numpy as np


def sinkhorn_knopp_loops(similarity, temperature, iterations=3):
    """(N,K) assignments, and the mass of every prototype before the last step over points."""
    num_points, num_prototypes = similarity.shape
    q = np.exp(similarity / temperature)
    q = q / q.sum()
    for _ in range(iterations):
        for k in range(num_prototypes):
            q[:, k] = q[:, k] / q[:, k].sum() / num_prototypes
        mass = q.sum(0)
        for i in range(num_points):
            q[i] = q[i] / q[i].sum() / num_points
    return q * num_points, mass


def view_loss(prediction, similarity, nearest, view, teacher_temp, student_temp):
    """prediction (N,K), similarity (M,K), nearest (N,) row of the teacher or -1: mean over the views with a match."""
    rows = [i for i in range(len(nearest)) if nearest[i] >= 0]
    target, _ = sinkhorn_knopp_loops(similarity[nearest[rows]], teacher_temp)
    losses = {}
    for i, assignment in zip(rows, target, strict=True):
        share = np.exp(prediction[i] / student_temp)
        losses.setdefault(int(view[i]), []).append(-(assignment * np.log(share / share.sum())).sum())
    return float(np.mean([np.mean(values) for values in losses.values()]))

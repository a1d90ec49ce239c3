"""Slow restatement of DOS: Zipf-Sinkhorn and the softmap loss in plain loops, float64."""

import numpy as np


def zipf_weights(num_prototypes, exponent):
    weight = np.array([(k + 1.0) ** -exponent for k in range(num_prototypes)])
    return weight / weight.sum()


def zipf_sinkhorn(similarity, temperature, exponent, iterations):
    """Softmaps (N,K) and the column sums before the last normalization."""
    weight = zipf_weights(similarity.shape[1], exponent)
    q = np.exp((similarity - similarity.max()) / temperature)
    q = q / q.sum()
    for _ in range(iterations):
        for i in range(len(q)):
            q[i] = q[i] / q[i].sum() / len(q)
        for k in range(q.shape[1]):
            q[:, k] = q[:, k] / q[:, k].sum() * weight[k]
    mass = q.sum(0)
    return q / mass, mass


def softmap_loss(student, teacher, teacher_temp, student_temp, exponent, iterations):
    """(1/K) sum_k KL( teacher softmap k || student softmap k ) over matched rows (N,K)."""
    target, _ = zipf_sinkhorn(teacher, teacher_temp, exponent, iterations)
    total = 0.0
    for k in range(student.shape[1]):
        prediction = np.exp(student[:, k] / student_temp)
        prediction /= prediction.sum()
        total += sum(t * (np.log(t) - np.log(p)) for t, p in zip(target[:, k], prediction, strict=True) if t > 0)
    return total / student.shape[1]

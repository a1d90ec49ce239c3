"""Zipf-Sinkhorn: balanced soft assignment with a power law over prototypes (DOS; METHOD 2.3)."""

import torch


def zipf_weights(num_prototypes: int, exponent: float, device: torch.device | None = None) -> torch.Tensor:
    """(K,) share of the mass that the prototype of each rank receives: w_k ~ k^-exponent, sums to 1."""
    weight = torch.arange(1, num_prototypes + 1, dtype=torch.float32, device=device) ** -exponent
    return weight / weight.sum()


@torch.no_grad()
def zipf_sinkhorn(
    similarity: torch.Tensor, temperature: float, exponent: float = 1.3, iterations: int = 3
) -> torch.Tensor:
    """Teacher softmaps (N,K) from cosine similarities (N,K): every column is a distribution over points.

    Alternates "every point carries the same mass" (rows) with "prototype k receives w_k" (columns), in log space and
    fp32;
    `exponent` 0 is ordinary Sinkhorn.
    """
    log_q = similarity.float() / temperature
    if len(log_q) == 0:
        return log_q
    log_weight = zipf_weights(log_q.shape[1], exponent, log_q.device).log()
    for _ in range(iterations):
        log_q = log_q - log_q.logsumexp(dim=1, keepdim=True)
        log_q = log_q - log_q.logsumexp(dim=0, keepdim=True) + log_weight
    return log_q.softmax(dim=0)

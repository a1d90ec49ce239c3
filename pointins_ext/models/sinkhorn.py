"""Balanced soft assignments: equal prototypes (Sonata), or a power law over them (DOS)."""

import torch
import torch.distributed as dist

from pointins_ext.host import comm


@torch.no_grad()
def sinkhorn_knopp(similarity: torch.Tensor, temperature: float, iterations: int = 3) -> torch.Tensor:
    """Teacher targets (N,K) from cosine similarities (N,K): every row is a distribution over prototypes.

    Alternates "every prototype carries the same mass", over the points of all ranks, with "every point carries the same
    mass", in log space and fp32. Every rank must call it, also one that has no points.
    """
    log_q = similarity.float() / temperature
    for _ in range(iterations):
        log_q = (log_q - _logsumexp_over_ranks(log_q)).log_softmax(dim=1)
    return log_q.exp()


def _logsumexp_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """(K,) of values (N,K), N being of this rank."""
    total = value.logsumexp(dim=0)  # -inf where this rank has no points
    if comm.get_world_size() == 1:
        return total
    totals = [torch.empty_like(total) for _ in range(comm.get_world_size())]
    dist.all_gather(totals, total)
    return torch.stack(totals).logsumexp(dim=0)


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
    fp32; `exponent` 0 is ordinary Sinkhorn.
    """
    log_q = similarity.float() / temperature
    if len(log_q) == 0:
        return log_q
    log_weight = zipf_weights(log_q.shape[1], exponent, log_q.device).log()
    for _ in range(iterations):
        log_q = log_q - log_q.logsumexp(dim=1, keepdim=True)
        log_q = log_q - log_q.logsumexp(dim=0, keepdim=True) + log_weight
    return log_q.softmax(dim=0)

"""Ranks over the points of all processes."""

import torch

from pointins_ext.branch import OffsetDistributionRegularization
from tests.fixtures.offsets import PRIOR, one_view, skewed


def test_one_process_alone_ranks_like_the_batch_up_to_a_bin():
    offset, view = skewed(3000, seed=4), torch.arange(3000) % 2
    batch = OffsetDistributionRegularization(PRIOR, scope="batch")(offset, view)
    pooled = OffsetDistributionRegularization(PRIOR, scope="global")(offset, view)
    assert (PRIOR.cdf(pooled.norm(dim=1)) - PRIOR.cdf(batch.norm(dim=1))).abs().max() < 2e-3
    assert torch.nn.functional.cosine_similarity(pooled, batch).min() > 0.999
    order = offset.norm(dim=1).argsort()
    assert (pooled.norm(dim=1)[order].diff() >= -1e-6).all()


def test_two_processes_rank_over_all_points(tmp_path):
    """Unequal shares of one cloud, and a process without points, give what one process gives for the whole."""
    offset = torch.cat([skewed(2000, seed=5), 5 * skewed(500, seed=6)])  # the second share alone is far longer
    shares = [offset[:2000], offset[2000:], offset[:0]]
    torch.multiprocessing.spawn(_rank_in_process, (shares, tmp_path), nprocs=3)
    found = torch.cat([torch.load(tmp_path / f"{rank}.pt") for rank in range(3)])
    whole = OffsetDistributionRegularization(PRIOR, scope="batch")(offset, one_view(offset))
    assert (PRIOR.cdf(found.norm(dim=1)) - PRIOR.cdf(whole.norm(dim=1))).abs().max() < 2e-3
    assert torch.nn.functional.cosine_similarity(found, whole).min() > 0.999
    alone = OffsetDistributionRegularization(PRIOR, scope="batch")(shares[1], one_view(shares[1]))
    assert (alone - found[2000:]).norm(dim=1).mean() > 0.1  # by itself the second share would get the whole prior


def _rank_in_process(rank, shares, folder):
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", store, rank=rank, world_size=len(shares))
    result = OffsetDistributionRegularization(PRIOR, scope="global")(shares[rank], one_view(shares[rank]))
    torch.save(result, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()

"""Slow restatement of Sonata's loss in plain loops, float64; a Sonata that a test can afford; what two ranks do."""

import numpy as np
import torch
import torch.distributed as dist

from pointins_ext.engine.launch import leave_group
from pointins_ext.host import MODELS
from pointins_ext.models.sinkhorn import sinkhorn_knopp
from tests.oracles.pooling_backbone import PoolingBackbone
from tests.oracles.tiny_pointins import build

MODELS.register_module("PoolingBackbone", force=True)(PoolingBackbone)


def sonata_config(**changes):
    return (
        dict(
            type="Sonata-v1m1",
            backbone=dict(type="PoolingBackbone", channels=(6, 8, 10)),
            head_in_channels=18,
            head_hidden_channels=16,
            head_embed_channels=8,
            head_num_prototypes=12,
            num_local_view=3,
            mask_size_start=0.2,
            mask_ratio_start=0.5,
            mask_jitter=0.01,
            match_max_r=0.15,
            up_cast_level=1,
        )
        | changes
    )


def scattered(data):
    """Points off the grid, in views and scene: no two nearest voxels, and none on the border of two patches."""
    generator = torch.Generator().manual_seed(0)
    keys = [key for key in data if key.endswith("coord")]
    return data | {key: data[key] + 0.01 * torch.rand(data[key].shape, generator=generator) for key in keys}


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


def scene_of_rank(data, rank):
    """The half of a packed batch of two scenes that belongs to `rank`."""
    own = {}
    for key, value in data.items():
        end = data.get(f"{key.split('_')[0]}_offset")
        if key.endswith("_offset"):
            first, second = value.chunk(2)
            own[key] = second - first[-1] if rank else first
        elif end is None:
            own[key] = value[rank : rank + 1]
        else:
            middle = int(end.chunk(2)[0][-1])
            own[key] = value[middle:] if rank else value[:middle]
    return own


def two_ranks(rank, store, config, data, similarity, answer):
    """One of two processes: a training step on its own scene, and Sinkhorn over `similarity`, none of it on rank 1."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", world_size=2, rank=rank)
    model = torch.nn.parallel.DistributedDataParallel(build(config))
    result = model(scene_of_rank(data, rank))
    result["loss"].backward()
    target = sinkhorn_knopp(similarity if rank == 0 else similarity[:0], 0.05)
    losses = {name: value.detach() for name, value in result.items()}
    gradients = {name: p.grad for name, p in model.module.named_parameters() if p.grad is not None}
    torch.save(dict(target=target, losses=losses, gradients=gradients), f"{answer}{rank}")
    leave_group()

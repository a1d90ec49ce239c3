"""Communication between the processes of one run; every call also works without a process group."""

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def is_initialized():
    """True inside a process group."""
    return dist.is_available() and dist.is_initialized()


def get_world_size():
    """Number of processes of the run."""
    return dist.get_world_size() if is_initialized() else 1


def get_rank():
    """Index of this process in the run."""
    return dist.get_rank() if is_initialized() else 0


def get_local_rank():
    """Index of this process on its machine: the index of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0)) if is_initialized() else 0


def is_main_process():
    """True on rank 0, the only one that writes files."""
    return get_rank() == 0


def synchronize():
    """Wait until every process is here."""
    if get_world_size() == 1:
        return
    if dist.get_backend() == "nccl":
        dist.barrier(device_ids=[torch.cuda.current_device()])
    else:
        dist.barrier()


def all_gather(data):
    """List over ranks of a picklable object."""
    if get_world_size() == 1:
        return [data]
    gathered = [None] * get_world_size()
    dist.all_gather_object(gathered, data)
    return gathered


def gather(data, dst=0):
    """List over ranks of a picklable object on rank `dst`, an empty list elsewhere."""
    gathered = all_gather(data)
    return gathered if get_rank() == dst else []


def unwrap_model(model):
    """The bare model inside DistributedDataParallel, or the model itself."""
    return model.module if isinstance(model, DistributedDataParallel) else model

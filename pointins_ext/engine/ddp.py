"""A model in DistributedDataParallel."""

from torch.nn.parallel import DistributedDataParallel

from pointins_ext.engine import comm


def create_ddp_model(model, device, **kwargs):
    """`model` in DistributedDataParallel when the run has several processes."""
    if comm.get_world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None, **kwargs)

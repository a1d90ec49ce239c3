"""Models of Pointcept also without a GPU, where some losses and pretrainers want one for a tensor or two."""

from contextlib import contextmanager

import torch
from pointcept.models import builder


def build_model(cfg):
    """Pointcept's build_model; without a GPU, class weights stay on the CPU."""
    if torch.cuda.is_available():
        return builder.build_model(cfg)
    with cuda_stays_here():
        return builder.build_model(cfg)


@contextmanager
def cuda_stays_here():
    """Meanwhile `tensor.cuda()` gives the tensor as it is: class weights of losses, and constants of Concerto."""
    cuda = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *args, **kwargs: tensor
    try:
        yield
    finally:
        torch.Tensor.cuda = cuda

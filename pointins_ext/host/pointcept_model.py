"""Models of Pointcept also without a GPU, where its losses want one for their class weights."""

from contextlib import contextmanager

import torch
from pointcept.models import builder


def build_model(cfg):
    """Pointcept's build_model; without a GPU, class weights stay on the CPU."""
    if torch.cuda.is_available():
        return builder.build_model(cfg)
    with _cuda_is_here():
        return builder.build_model(cfg)


@contextmanager
def _cuda_is_here():
    """Meanwhile `tensor.cuda()` gives the tensor as it is."""
    cuda = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *args, **kwargs: tensor
    try:
        yield
    finally:
        torch.Tensor.cuda = cuda

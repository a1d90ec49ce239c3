"""Models of Pointcept without a GPU."""

import pytest
import torch
from torch import nn

from pointins_ext.host import MODELS, build_model, pointcept_model


@MODELS.register_module("WantsAGPU", force=True)
class WantsAGPU(nn.Module):
    """Puts its class weights on a GPU at once, as Pointcept's losses do."""

    def __init__(self, fails=False):
        super().__init__()
        self.weight = torch.ones(3).cuda()
        if fails:
            raise ValueError("fails")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("fails", [False, True])
def test_class_weights_stay_on_the_cpu_and_cuda_is_itself_afterwards(fails):
    cuda = torch.Tensor.cuda
    if fails:
        with pytest.raises(ValueError, match="fails"):
            build_model(dict(type="WantsAGPU", fails=True))
    else:
        assert build_model(dict(type="WantsAGPU")).weight.device.type == "cpu"
    assert torch.Tensor.cuda is cuda and build_model is pointcept_model.build_model

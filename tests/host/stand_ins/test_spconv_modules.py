from torch import nn

from pointins_ext.host.stand_ins import spconv_pytorch
from pointins_ext.host.stand_ins.spconv_modules import is_spconv_module


def test_modules_of_sparse_tensors_are_told_from_plain_ones():
    assert is_spconv_module(spconv_pytorch.SubMConv3d(2, 3, kernel_size=3, indice_key="a"))
    assert not is_spconv_module(nn.Linear(2, 3))

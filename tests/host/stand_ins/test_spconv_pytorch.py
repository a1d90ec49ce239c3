"""Sparse convolutions of spconv."""

import pytest
import torch

from pointins_ext.host.stand_ins import spconv_modules
from pointins_ext.host.stand_ins import spconv_pytorch as spconv


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_submanifold_convolution_is_the_dense_one_at_the_voxels(mode):
    torch.manual_seed(0)
    grid = torch.unique(torch.randint(0, 6, (80, 3)), dim=0)
    indices = torch.cat([torch.zeros(len(grid), 1), grid], dim=1).int()
    feat = torch.randn(len(grid), 4, requires_grad=True)
    conv = getattr(spconv.SubMConv3d(4, 5, kernel_size=3, padding=1, indice_key="stem"), mode)()
    tensor = spconv.SparseConvTensor(feat, indices, [6, 6, 6], 1)
    out = spconv.SparseSequential(conv, torch.nn.GELU(), spconv.Identity())(tensor)
    dense = torch.zeros(6, 6, 6, 4).index_put(tuple(grid.T), feat).permute(3, 0, 1, 2)[None]
    expected = torch.nn.functional.conv3d(dense, conv.weight.permute(0, 4, 1, 2, 3), conv.bias, padding=1)
    expected = torch.nn.functional.gelu(expected[0, :, grid[:, 0], grid[:, 1], grid[:, 2]].T)
    torch.testing.assert_close(out.features, expected, rtol=1e-5, atol=1e-5)
    ours = torch.autograd.grad(out.features.square().sum(), [feat, *conv.parameters()], retain_graph=True)
    theirs = torch.autograd.grad(expected.square().sum(), [feat, *conv.parameters()])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert out.indice_dict is tensor.indice_dict and len(tensor.indice_dict) == 1
    assert spconv_modules.is_spconv_module(conv) and not spconv_modules.is_spconv_module(torch.nn.Linear(1, 1))

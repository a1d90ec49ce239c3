"""Stand-in for spconv.pytorch: submanifold convolution, the only sparse convolution of PTv3, in plain PyTorch.

spconv's own CPU path fails in eval mode and in backward, and loses updates with more than one thread.
"""

from torch import nn

from pointins_ext.ops.subm_conv import SubMConv3d as _SubMConv3d
from pointins_ext.ops.subm_conv import kernel_map


class SparseConvTensor:
    """Features (N,C) at voxels `indices` (N,4), int: cloud, x, y, z."""

    def __init__(self, features, indices, spatial_shape, batch_size, indice_dict=None, **_):
        self.features = features
        self.indices = indices
        self.spatial_shape = spatial_shape
        self.batch_size = batch_size
        self.indice_dict = {} if indice_dict is None else indice_dict

    def replace_feature(self, feature):
        """The same voxels, kernel maps included, with other features."""
        return SparseConvTensor(feature, self.indices, self.spatial_shape, self.batch_size, self.indice_dict)

    def kernel_map(self, kernel_size):
        """Neighbor table of the voxels, computed once for each kernel size."""
        if kernel_size not in self.indice_dict:
            grid_coord, batch = self.indices[:, 1:], self.indices[:, 0].long()
            self.indice_dict[kernel_size] = kernel_map(grid_coord, batch, kernel_size)
        return self.indice_dict[kernel_size]


class SparseModule(nn.Module):
    """Base of the modules that take and give a SparseConvTensor."""


class SubMConv3d(_SubMConv3d, SparseModule):
    """Submanifold convolution with spconv's parameter names and layout; stride 1 and no dilation, as Pointcept's."""

    def __init__(self, in_channels, out_channels, kernel_size, padding=0, bias=True, indice_key=None):
        super().__init__(in_channels, out_channels, kernel_size, bias)

    def forward(self, input):
        return input.replace_feature(super().forward(input.features, input.kernel_map(self.kernel_size)))


class Identity(nn.Identity, SparseModule):
    """Leaves a SparseConvTensor as it is."""


class SparseSequential(nn.Sequential, SparseModule):
    """Modules in a row; a plain torch module in it sees the features."""

    def forward(self, input):
        for module in self:
            sparse = isinstance(module, SparseModule)
            input = module(input) if sparse else input.replace_feature(module(input.features))
        return input

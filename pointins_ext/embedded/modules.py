"""Base classes of the embedded models: modules that take a Point, a sequence of them, a model that is also a hook."""

from torch import nn

from pointins_ext.embedded.hooks import HookBase
from pointins_ext.embedded.structure import Point
from pointins_ext.ops.subm_conv import SubMConv3d


class PointModule(nn.Module):
    """A module whose forward takes a Point and gives a Point."""


class PointSequential(PointModule):
    """Modules in a row; a plain torch module in it sees `point.feat`, a convolution also the kernel map."""

    def __init__(self, *modules, **named):
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)
        for name, module in named.items():
            self.add_module(name, module)

    def __getitem__(self, index):
        return list(self._modules.values())[index]

    def __len__(self):
        return len(self._modules)

    def add(self, module, name=None):
        """Append a module, named by its position when no name is given."""
        self.add_module(str(len(self)) if name is None else name, module)

    def forward(self, point):
        for module in self._modules.values():
            if isinstance(module, PointModule) or not isinstance(point, Point):
                point = module(point)
            elif isinstance(module, SubMConv3d):
                point.feat = module(point.feat, point.kernel_map(module.kernel_size))
            else:
                point.feat = module(point.feat)
        return point


class PointModel(PointModule, HookBase):
    """A model that hooks into training: ModelHook forwards every training event to it."""

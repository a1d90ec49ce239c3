"""Stand-in for spconv.pytorch.modules."""

from pointins_ext.host.stand_ins.spconv_pytorch import SparseModule


def is_spconv_module(module):
    """True for modules that take a SparseConvTensor."""
    return isinstance(module, SparseModule)

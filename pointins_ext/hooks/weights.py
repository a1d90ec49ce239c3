"""WeightLoader: what a run starts from, or an error; never a silent start from scratch."""

from pointins_ext.checkpoint import WeightLoading
from pointins_ext.host import HOOKS, HookBase


@HOOKS.register_module()
class WeightLoader(WeightLoading, HookBase):
    """Takes the place and the arguments of Pointcept's CheckpointLoader, and also runs without a GPU."""

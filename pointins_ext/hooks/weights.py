"""WeightLoader: what a run starts from, or an error; never a silent start from scratch."""

from pointins_ext.checkpoint import WeightLoading
from pointins_ext.host import HOOKS, HookBase


@HOOKS.register_module()
class WeightLoader(WeightLoading, HookBase):
    """In the place of Pointcept's CheckpointLoader, whose arguments it takes; it also runs without a GPU."""

"""PointINS: instance-aware self-supervised learning for point clouds, as a plug-in for Pointcept.

Importing this package registers the offset head, pretrainers, segmentors, hooks, testers and datasets in the host's
registries.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["CONFIGS", "load", "load_backbone", "segment"]

# Folder of the shipped configs: inside the package where it is installed, beside it in a checkout.
CONFIGS = Path(__file__).with_name("configs")
if not CONFIGS.is_dir():
    CONFIGS = Path(__file__).parents[1] / "configs"

# What a process is called that is the command `pointins` (of an entry point, of tools/) or `python -m pointins_ext`.
COMMANDS = ("pointins", "-m")


def _is_the_command():
    return bool(sys.argv) and Path(sys.argv[0]).name in COMMANDS


# The command starts without host and PyTorch, which take seconds: its help needs neither, and the doctor says which of
# them is missing. Its verbs import `pointins_ext.plugin` themselves.
if TYPE_CHECKING or not _is_the_command():
    from pointins_ext import plugin  # noqa: F401
    from pointins_ext.inference import load_backbone, segment
    from pointins_ext.inference import load_predictor as load
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from pointins_ext import inference

        return getattr(inference, "load_predictor" if name == "load" else name)

"""PointINS: instance-aware self-supervised learning for point clouds, as a plug-in for Pointcept.

Importing this package registers the offset head, pretrainers, segmentors, hooks, testers and datasets in the host's
registries.
"""

from pathlib import Path

from pointins_ext import datasets, hooks, models, testers  # noqa: F401
from pointins_ext.inference import segment

__version__ = "0.1.0"
__all__ = ["CONFIGS", "segment"]

# Folder of the shipped configs: inside the package where it is installed, beside it in a checkout.
CONFIGS = Path(__file__).with_name("configs")
if not CONFIGS.is_dir():
    CONFIGS = Path(__file__).parents[1] / "configs"

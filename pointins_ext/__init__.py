"""PointINS: instance-aware self-supervised learning for point clouds, as a plug-in for Pointcept.

Importing this package registers the offset head, pretrainers, segmentors, hooks, testers and datasets in the host's
registries.
"""

from pointins_ext import datasets, hooks, models, testers  # noqa: F401
from pointins_ext.inference import segment

__version__ = "0.1.0"
__all__ = ["segment"]

"""Checkpoints without surprises: files read and written, names matched to a model, a run started or resumed.

Knows no host: the hooks of both hosts, inference and the tools import it.
"""

from pointins_ext.checkpoint.dumped import read_dumped_config
from pointins_ext.checkpoint.files import read_checkpoint, require_checkpoint, save_checkpoint, save_half
from pointins_ext.checkpoint.loading import WeightLoading, probed_network, restore
from pointins_ext.checkpoint.names import load_weight, match_weight, rename

__all__ = [
    "WeightLoading",
    "load_weight",
    "match_weight",
    "probed_network",
    "read_checkpoint",
    "read_dumped_config",
    "rename",
    "require_checkpoint",
    "restore",
    "save_checkpoint",
    "save_half",
]

"""The one door to whatever hosts the plug-in: Pointcept where it is importable, else the embedded host.

`POINTINS_HOST=auto|pointcept|embedded` chooses. `NAME` and `REASON` say what was bound and why; every other name is the
host's own registry, class or function. The first name that is asked for binds the host, which takes seconds.
"""

import importlib
import os
from typing import TYPE_CHECKING

from pointins_ext.errors import UserError

if TYPE_CHECKING:  # for editors and type checkers; Pointcept's names are alike
    from pointins_ext.host.embedded_host import *  # noqa: F403

    NAME: str
    REASON: str

# What the plug-in takes from its host; every host module has all of them.
NAMES = [
    "DATASETS",
    "HOOKS",
    "MODELS",
    "TESTERS",
    "TRAINERS",
    "TRANSFORMS",
    "Compose",
    "Config",
    "CosineScheduler",
    "DefaultDataset",
    "HookBase",
    "NuScenesDataset",
    "Point",
    "PointModel",
    "PointModule",
    "SemanticKITTIDataset",
    "Trainer",
    "batch2offset",
    "begin_log",
    "build_criteria",
    "build_dataset",
    "build_model",
    "comm",
    "default_argument_parser",
    "default_config_parser",
    "default_setup",
    "get_root_logger",
    "launch",
    "offset2batch",
    "offset2bincount",
    "point_collate_fn",
    "read_config",
]


__all__ = ["NAME", "NAMES", "REASON", "wanted", *NAMES]


def wanted() -> str:
    """What POINTINS_HOST asks for. Raises ValueError if that is no host."""
    value = os.environ.get("POINTINS_HOST", "auto")
    if value not in ("auto", "pointcept", "embedded"):
        raise UserError(f"POINTINS_HOST is '{value}'; expected auto, pointcept or embedded")
    return value


def __getattr__(name):
    if name not in ("NAME", "REASON", *NAMES):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    host, reason, bound = _bind()
    globals().update(bound, NAME=host, REASON=reason)
    return globals()[name]


def _bind():
    """(name, reason, names) of the host. Raises where the one that POINTINS_HOST asks for cannot be bound."""
    from pointins_ext.host import locate  # here, because it imports PyTorch

    if wanted() == "embedded":
        return "embedded", "POINTINS_HOST=embedded", _names("embedded")
    problem = locate.pointcept_problem()
    if problem is None:
        try:
            return "pointcept", f"found at {locate.pointcept_root()}", _names("pointcept")
        except ImportError as error:
            if not str(error.name).startswith("pointcept"):
                raise
            problem = f"Pointcept at {locate.pointcept_root()} is too old ({error}); update it"
    if wanted() == "pointcept":
        raise ImportError(f"POINTINS_HOST=pointcept, but {problem}")
    return "embedded", problem, _names("embedded")


def _names(name: str):
    module = importlib.import_module(f"pointins_ext.host.{name}_host")
    return {name: getattr(module, name) for name in NAMES}

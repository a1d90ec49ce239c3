"""What of the host reads a request, without its models and data sets: those of Pointcept take seconds to import."""

import importlib
from pathlib import Path

from pointins_ext import host
from pointins_ext.host import locate


def expected_root() -> Path | None:
    """Root of the Pointcept that a run binds, provided that it can be imported; None: the embedded host."""
    if host.wanted() == "embedded" or locate.root_problem():
        return None
    return locate.pointcept_root()


def reader():
    """The module whose `default_argument_parser` and `read_config` read what that host is to train."""
    if expected_root() is None:
        return host
    try:
        return importlib.import_module("pointins_ext.host.pointcept_config")
    except ImportError:  # binding the host says what is missing, or binds the embedded one
        return host

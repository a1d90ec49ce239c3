"""Where Pointcept is, and what keeps it from being imported."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from pointins_ext.host import scopes, stand_ins

# What the plug-in binds; importing them runs most of Pointcept, so a missing part shows here.
REQUIRED = ("models", "datasets", "engines.hooks", "engines.train", "engines.test")


def pointcept_root() -> Path | None:
    """Folder that holds the package `pointcept`: from POINTCEPT_ROOT, or where it is importable from."""
    root = os.environ.get("POINTCEPT_ROOT")
    if root:
        return Path(root)
    spec = importlib.util.find_spec("pointcept")
    return Path(spec.submodule_search_locations[0]).parent if spec else None


def root_problem() -> str | None:
    """Why there is no Pointcept to import, in one line; None where there is. Puts POINTCEPT_ROOT on the import path."""
    root = pointcept_root()
    if root is None:
        return "Pointcept is not installed and POINTCEPT_ROOT is not set"
    if not (root / "pointcept").is_dir():
        return f"POINTCEPT_ROOT={root} has no folder 'pointcept'; expected the root of a Pointcept checkout"
    if str(root) not in sys.path:
        sys.path.append(str(root))
    return None


def pointcept_problem() -> str | None:
    """Why Pointcept cannot be the host, in one line; None when it can, and then it is imported."""
    if problem := root_problem():
        return problem
    try:
        with stand_ins.installed(), scopes.read_from_the_frame():
            for name in REQUIRED:
                importlib.import_module(f"pointcept.{name}")
            stand_ins.serve_litept()
    except ImportError as error:
        advice = (
            "; pip install pointins_ext[pointcept] brings its packages"
            if isinstance(error, ModuleNotFoundError)
            else ""
        )
        return f"Pointcept at {pointcept_root()} cannot be imported ({error}){advice}"
    return None

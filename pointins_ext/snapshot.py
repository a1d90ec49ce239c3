"""A run sees the code that it was started with, also when the checkout moves on: a copy in its experiment's folder."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("pointins_ext", "tools", "configs")


def is_checkout():
    """Whether the code runs from a checkout, or from a copy of one; an installed package is neither."""
    return all((ROOT / name).is_dir() for name in FOLDERS)


def copy_code(folder):
    """`folder` holds the code of this checkout, and of Pointcept where it is the host, in the place of what it held."""
    from pointins_ext.host.request import expected_root  # here, because it brings PyTorch

    temporary, old = (f"{folder}.{os.getpid()}.{kind}" for kind in ("new", "old"))
    sources = [ROOT / name for name in FOLDERS]
    if root := expected_root():
        sources.append(root / "pointcept")
    try:
        for source in sources:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, os.path.join(temporary, source.name), ignore=ignored)
        if os.path.isdir(folder):
            os.replace(folder, old)
        os.replace(temporary, folder)
    finally:
        for rest in (temporary, old):
            shutil.rmtree(rest, ignore_errors=True)

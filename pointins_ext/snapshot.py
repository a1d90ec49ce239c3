"""A run sees the code that it was started with, also when the checkout moves on: a copy in its experiment's folder."""

import os
import shutil
import sys
from pathlib import Path

from pointins_ext import host
from pointins_ext.host.locate import pointcept_root

ROOT = Path(__file__).parents[1]
FOLDERS = ("pointins_ext", "tools", "configs")


def run_from_snapshot(folder, script, arguments):
    """Copy the code to `folder` and go on there: this process becomes that of the copied tools/`script`."""
    copy_code(folder)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")])))
    if os.path.isdir(os.path.join(folder, "pointcept")):
        environment["POINTCEPT_ROOT"] = folder
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, os.path.join(folder, "tools", script), *arguments], environment)


def copy_code(folder):
    """`folder` holds the code of this checkout, and of Pointcept where it is the host, in the place of what it held."""
    temporary, old = (f"{folder}.{os.getpid()}.{kind}" for kind in ("new", "old"))
    sources = [ROOT / name for name in FOLDERS]
    if host.NAME == "pointcept":
        sources.append(pointcept_root() / "pointcept")
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

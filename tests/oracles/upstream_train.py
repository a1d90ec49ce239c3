"""Pointcept's own tools/train.py on a machine without compiled parts and GPU: `python upstream_train.py ROOT ARGS`.

Stand-ins take the place of what is missing and `.cuda()` leaves things where they are; the plug-in itself is imported
only where the config asks for it.
"""

import importlib
import os
import runpy
import sys
import types
from pathlib import Path

import torch

PACKAGE = Path(__file__).parents[2] / "pointins_ext"


def main(root, *arguments):
    sys.path[:0] = [root, str(PACKAGE.parent)]
    with stand_ins().installed():
        importlib.import_module("pointcept.engines.train")
    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self, *args, **kwargs: self
        torch.nn.Module.cuda = lambda self, *args, **kwargs: self
    sys.argv = ["train.py", *arguments]
    os.environ["POINTINS_HOST"] = "pointcept"
    runpy.run_path(f"{root}/tools/train.py", run_name="__main__")


def stand_ins():
    """The stand-ins without the plug-in around them, whose import would register everything."""
    for name, path in (("pointins_ext", PACKAGE), ("pointins_ext.host", PACKAGE / "host")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(path)]
    module = importlib.import_module("pointins_ext.host.stand_ins")
    for name in [name for name in sys.modules if name in ("pointins_ext", "pointins_ext.host")]:
        del sys.modules[name]
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])

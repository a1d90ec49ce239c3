"""Stand-ins: where a compiled part that Pointcept imports is missing or defective, plain PyTorch takes its place.

Nothing is written to disk and nothing that works is replaced: `installed()` puts modules into `sys.modules` for a while
and says in `ANNOUNCEMENTS` which and why.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from contextlib import contextmanager

import numpy as np
import torch

from pointins_ext.host.flash import has_flash
from pointins_ext.host.stand_ins.placeholder import Placeholder

# name -> module of this package that does the work in plain PyTorch
REPLACEMENTS = {
    "pointops": "pointops",
    "pointgroup_ops": "pointgroup_ops",
    "torch_scatter": "torch_scatter",
    "torch_cluster": "torch_cluster",
}
# imported by Pointcept, used by none of the pretrainers: names exist, using one says what to install
PLACEHOLDERS = ("open3d", "torch_geometric", "wandb", "peft", "transformers", "h5py")
# name -> one line, in the order in which they were put in
ANNOUNCEMENTS: dict[str, str] = {}


@contextmanager
def installed():
    """Stand-ins in place for the import of Pointcept; all go afterwards, lest others take one for the real package."""
    _optional_users_first()
    modules = _needed()
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    _declare_torchvision_operators()
    _restore_numpy_names()
    finder = _PlaceholderFinder([name for name in PLACEHOLDERS if import_problem(name)])
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.created + list(modules):
            del sys.modules[name]
        sys.modules.update({name: module for name, module in before.items() if module is not None})


def summary() -> str:
    """All announcements in one line, those with one reason together."""
    names = {}
    for name, line in ANNOUNCEMENTS.items():
        names.setdefault(line.removeprefix(f"{name} ").removeprefix("is "), []).append(name)
    return "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())


def serve_litept() -> None:
    """Give Pointcept's LitePT the function of flash-attn that it calls, where flash-attn cannot run.

    To it alone: PTv3 has attention of its own for this case.
    """
    litept = sys.modules.get("pointcept.models.litept.litept_v1")
    if litept is not None and not has_flash(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
        litept.flash_attn = importlib.import_module(f"{__name__}.flash_attn")


def import_problem(name: str) -> str | None:
    """Why `name` cannot be imported, in a few words; None when it can."""
    if name in sys.modules:
        return None
    if importlib.util.find_spec(name) is None:
        return "is not installed"
    try:
        importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        return f"cannot be imported ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    return None


def spconv_problem() -> str | None:
    """Why spconv cannot be used on this machine; None when it can."""
    if not torch.cuda.is_available():
        # its CPU build has no eval mode and no backward, and loses updates with two threads
        return "needs a GPU for eval mode and for gradients"
    problem = import_problem("spconv")
    if problem is None and importlib.import_module("spconv.cppconstants").CPU_ONLY_BUILD:
        return "is the CPU build, which has no eval mode and no gradients"
    return problem


def _needed():
    """Stand-ins for what is missing or defective here, by the names that they are imported under."""
    modules = {}
    for name, module in REPLACEMENTS.items():
        problem = import_problem(name)
        if problem:
            _announce(name, problem)
            modules[name] = _module(module)
    problem = spconv_problem()
    if problem:
        _announce("spconv", problem)
        package, stand_in = Placeholder("spconv"), _module("spconv_pytorch")
        package.pytorch, stand_in.modules = stand_in, _module("spconv_modules")
        modules |= {"spconv": package, "spconv.pytorch": stand_in, "spconv.pytorch.modules": stand_in.modules}
    return modules


def _announce(name, problem):
    ANNOUNCEMENTS[name] = f"{name} {problem}: plain PyTorch takes its place"


def _module(name: str):
    """A module of this package; what it lacks is there as a placeholder."""
    module = importlib.import_module(f"{__name__}.{name}")
    module.__getattr__ = Placeholder(name.replace("spconv_pytorch", "spconv")).__getattr__
    return module


def _optional_users_first() -> None:
    """Import what adapts itself to the modules that it finds, before it can find a stand-in."""
    for name in ("torch_geometric", "timm"):
        if importlib.util.find_spec(name) is not None:
            import_problem(name)


def _declare_torchvision_operators() -> None:
    """torchvision's wheels for CUDA do not import beside a CPU build of PyTorch for want of two operators' names."""
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    problem = import_problem("torchvision")
    if problem is None:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    global _torchvision_library
    _torchvision_library = torch.library.Library("torchvision", "DEF")
    _torchvision_library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _torchvision_library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    ANNOUNCEMENTS["torchvision"] = f"torchvision {problem}: its compiled operators are declared without code"


def _restore_numpy_names() -> None:
    if not hasattr(np, "in1d"):
        np.in1d = lambda ar1, ar2, **kwargs: np.isin(np.ravel(ar1), ar2, **kwargs)
        ANNOUNCEMENTS["numpy.in1d"] = "numpy.in1d is gone since numpy 2.4: numpy.isin takes its place"


class _PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last finder: placeholders for missing packages of `roots` and all their submodules."""

    def __init__(self, roots):
        self.roots = roots
        self.created = []

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.roots:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        self.created.append(spec.name)
        return Placeholder(spec.name)

    def exec_module(self, module):
        pass

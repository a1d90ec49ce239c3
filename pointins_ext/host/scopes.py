"""Registries of Pointcept know their scope at once, while it is imported."""

import importlib
import sys
from contextlib import contextmanager


@contextmanager
def read_from_the_frame():
    """Meanwhile a registry of Pointcept reads its scope, the package that makes it, from the frame that makes it.

    Its own way there, `inspect.stack`, looks for the sources of the whole stack: a second for each registry. A
    Pointcept that finds its scopes in another way stays as it is.
    """
    registry = _registry_class()
    own = vars(registry).get("infer_scope")
    if own is None:
        yield
        return
    registry.infer_scope = staticmethod(_infer_scope)
    try:
        yield
    finally:
        registry.infer_scope = own


def _registry_class():
    try:
        return importlib.import_module("pointcept.utils.registry").Registry
    except ImportError:
        return object


def _infer_scope():
    """Package of the module that makes the registry whose __init__ asks."""
    return sys._getframe(2).f_globals["__name__"].partition(".")[0]

"""Scopes of Pointcept's registries: the package that makes one, whoever that is, and Pointcept's own way afterwards."""

import sys
import types

import pytest

from pointins_ext.host import scopes

REGISTRY = """
class Registry:
    def __init__(self):
        self.scope = self.infer_scope()

    @staticmethod
    def infer_scope():
        return "searched"
"""
NAME = "pointcept.utils.registry"


@pytest.fixture
def registry(monkeypatch):
    module = types.ModuleType(NAME)
    exec(REGISTRY, vars(module))
    monkeypatch.setitem(sys.modules, NAME, module)
    return module.Registry


def made_in(name, registry):
    """Scope of a registry that the module `name` makes."""
    module = types.ModuleType(name)
    module.Registry = registry
    exec("made = Registry()", vars(module))
    return module.made.scope


def test_the_scope_is_the_package_of_the_maker(registry):
    with scopes.read_from_the_frame():
        assert made_in("pointcept.models.builder", registry) == "pointcept"
        assert made_in("somebody.elses.models", registry) == made_in("somebody", registry) == "somebody"


def test_pointcepts_own_way_is_back_afterwards(registry):
    own = vars(registry)["infer_scope"]
    with pytest.raises(ImportError), scopes.read_from_the_frame():
        raise ImportError("a part of Pointcept is missing")
    assert vars(registry)["infer_scope"] is own and made_in("pointcept.models", registry) == "searched"


@pytest.mark.parametrize("module", [None, types.SimpleNamespace(Registry=type("Registry", (), {}))])
def test_a_pointcept_with_another_way_stays_as_it_is(module, monkeypatch):
    monkeypatch.setitem(sys.modules, NAME, module)  # None: it cannot be imported
    with scopes.read_from_the_frame():
        assert module is None or not hasattr(module.Registry, "infer_scope")

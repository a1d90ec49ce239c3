import ast
from pathlib import Path

from pointins_ext import host
from pointins_ext.host import embedded_host


def bound(name):
    """Names that a file of `host` binds at its top level."""
    tree = ast.parse(Path(host.__file__).with_name(f"{name}.py").read_text())
    imported = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return imported | {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_both_hosts_bind_all_promised_names():
    for name in host.NAMES:
        assert getattr(embedded_host, name) is not None
        assert name in bound("pointcept_host"), name


def test_nothing_is_bound_on_one_host_alone_for_others_to_use():
    shared = bound("embedded_host") & bound("pointcept_host")
    assert bound("embedded_host") == set(host.NAMES) & shared

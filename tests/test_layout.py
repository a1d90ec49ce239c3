"""The tests mirror the package; oracles are independent of it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "pointins_ext", ROOT / "tests"
# a command is tested as a user calls it: tests/cli, tests/tools, test_readme_commands.py
COMMANDS = PACKAGE / "cli"
MODULES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py") and COMMANDS not in path.parents
]


def home(module):
    """The file of a module's tests; what runs on Pointcept alone is tested with it, in tests/pointcept."""
    place = module.relative_to(PACKAGE)
    if place.parent.name == "host" and place.name.startswith("pointcept_"):
        return TESTS / "pointcept" / f"test_{place.name.removeprefix('pointcept_')}"
    return TESTS / place.with_name(f"test_{place.name}")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_has_tests_under_its_name(module):
    assert home(module).is_file(), f"{module.relative_to(ROOT)} has no {home(module).relative_to(ROOT)}"
    tests = [node.name for node in ast.walk(ast.parse(home(module).read_text())) if isinstance(node, ast.FunctionDef)]
    assert any(name.startswith("test_") for name in tests)


@pytest.mark.parametrize("oracle", sorted((TESTS / "oracles").glob("*.py")), ids=lambda path: path.stem)
def test_an_oracle_shares_no_code_with_what_it_judges(oracle):
    for node in ast.walk(ast.parse(oracle.read_text())):
        names = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
        )
        for name in filter(None, names):
            assert name.partition(".")[0] != "pointins_ext" and not name.startswith("tests.fixtures"), name

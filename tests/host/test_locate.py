"""Where Pointcept is found, and what is said where it is not usable."""

from pointins_ext.host import locate
from tests.fixtures.fresh_python import ROOT, python


def test_a_wrong_root_and_a_checkout_that_cannot_be_imported_are_named(tmp_path, monkeypatch, light):
    monkeypatch.setenv("POINTCEPT_ROOT", str(tmp_path))
    assert "expected the root of a Pointcept checkout" in locate.pointcept_problem()
    package = tmp_path / "pointcept"
    package.mkdir()
    (package / "__init__.py").write_text("import a_compiled_part_that_nobody_has\n")
    code = "from pointins_ext import host; print(host.NAME, '|', host.REASON)"
    done = python(code, POINTCEPT_ROOT=str(tmp_path), PYTHONPATH=f"{light}:{ROOT}")
    assert done.stdout.startswith("embedded | ") and "a_compiled_part_that_nobody_has" in done.stdout, done.stderr


def test_a_pointcept_without_a_name_that_we_need_is_too_old(tmp_path, light):
    """A package that imports, but lacks what newer ones have."""
    for module in ("models", "datasets", "engines/hooks", "engines/train", "engines/test", "datasets/builder"):
        folder = tmp_path / "pointcept" / module
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("")
    (tmp_path / "pointcept" / "__init__.py").write_text("")
    code = "from pointins_ext import host; print(host.NAME, '|', host.REASON)"
    done = python(code, POINTCEPT_ROOT=str(tmp_path), PYTHONPATH=f"{light}:{ROOT}")
    assert done.stdout.startswith("embedded | ") and "is too old" in done.stdout, done.stderr
    assert "DATASETS" in done.stdout and "update it" in done.stdout
    environment = dict(POINTCEPT_ROOT=str(tmp_path), PYTHONPATH=f"{light}:{ROOT}", POINTINS_HOST="pointcept")
    forced = python("import pointins_ext", **environment)
    assert forced.returncode != 0 and "POINTINS_HOST=pointcept, but Pointcept at" in forced.stderr

"""The copy of the code that a run sees."""

import os

import pytest

from pointins_ext import snapshot


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of three files, and of what no copy needs."""
    root = tmp_path / "checkout"
    for name in (
        "pointins_ext/a.py",
        "tools/train.py",
        "configs/c.py",
        "pointins_ext/__pycache__/a.pyc",
        "exp/big.pth",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setattr(snapshot, "ROOT", root)
    return root


def test_a_copy_takes_the_place_of_an_older_one(checkout, tmp_path):
    folder = tmp_path / "exp" / "code"
    snapshot.copy_code(str(folder))
    assert tree(folder) == {"pointins_ext/a.py", "tools/train.py", "configs/c.py"}
    (checkout / "configs" / "c.py").rename(checkout / "configs" / "d.py")
    snapshot.copy_code(str(folder))
    assert tree(folder) == {"pointins_ext/a.py", "tools/train.py", "configs/d.py"}
    assert os.listdir(folder.parent) == ["code"]


def test_a_copy_that_fails_leaves_the_old_one(checkout, tmp_path, monkeypatch):
    folder = tmp_path / "exp" / "code"
    snapshot.copy_code(str(folder))
    before = tree(folder)
    monkeypatch.setattr(snapshot, "FOLDERS", ("pointins_ext", "gone"))
    with pytest.raises(FileNotFoundError):
        snapshot.copy_code(str(folder))
    assert tree(folder) == before and os.listdir(folder.parent) == ["code"]

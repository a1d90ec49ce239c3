"""Config files: bases, placeholders, options that replace literals, errors that name file and line."""

import pytest

from pointins_ext.embedded.config import Config


def test_golden_tree(tree, tmp_path):
    cfg = Config.fromfile(tmp_path / "child.py")
    assert dict(cfg.items()) == dict(
        seed=None,
        epoch=10,
        hooks=[dict(type="A", x=1), dict(type="B")],
        width=8,
        lr=0.1,
        model=dict(type="M", depth=3, head=dict(type="H2")),
        optimizer=dict(type="SGD", lr=0.1, momentum=0.9),
        grid_size=0.02,
        name="child",
        copied=dict(width=8, all=[dict(type="SGD", lr=0.1, momentum=0.9)]),
        transform=[dict(type="GridSample", grid_size=0.02), dict(type="Crop", radius=0.2)],
    )
    assert cfg.model.head.type == "H2"
    with pytest.raises(AttributeError, match="no key 'tail'"):
        _ = cfg.model.tail


def test_option_replaces_a_literal_before_the_file_runs(tree, tmp_path):
    cfg = Config.fromfile(tmp_path / "child.py", {"grid_size": 0.5, "width": 16, "lr": 1.0, "transform.0.mode": "test"})
    assert cfg.grid_size == 0.5
    assert cfg.transform == [dict(type="GridSample", grid_size=0.5, mode="test"), dict(type="Crop", radius=5.0)]
    assert cfg.copied.width == 16  # the literal stands in a base
    assert cfg.optimizer.lr == 1.0


def test_option_may_name_a_variable_that_the_file_deletes(tree):
    path = tree("deleted.py", "size = 2\narea = size * size\ndel size\n")
    cfg = Config.fromfile(path, {"size": 3})
    assert cfg.area == 9 and "size" not in cfg


def test_names_with_an_underscore_are_for_children_alone(tree):
    tree("_base_/hooks.py", "_timer = dict(type='T', warmup=2)\n_width = 8\nwidth = _width\n")
    path = tree("hooks.py", "_base_ = '_base_/hooks.py'\n_timer = dict(warmup=3)\nhooks = [{{ _base_._timer }}]\n")
    tree("grandchild.py", "_base_ = 'hooks.py'\nmore = [{{ _base_._timer }}]\n")
    assert dict(Config.fromfile(path).items()) == dict(width=8, hooks=[dict(type="T", warmup=2)])
    cfg = Config.fromfile(path.with_name("grandchild.py"), {"_width": 9})
    assert dict(cfg.items()) == dict(width=9, hooks=[dict(type="T", warmup=2)], more=[dict(type="T", warmup=3)])


@pytest.mark.parametrize(
    "text, error, match",
    [
        ("_base_ = ['_base_/runtime.py', '_base_/twin.py']", KeyError, "same keys .'epoch'"),
        ("_base_ = '_base_/runtime.py'\nepoch = dict(a=1)", ValueError, "'epoch' is a dict here and int in its base"),
        ("_base_ = '_base_/runtime.py'\nx = {{ _base_.epok }}", KeyError, "no key 'epok'"),
        ("_base_ = '_base_/runtime.py'\nx = {{ _base_.epoch }} + 'b'", ValueError, "cannot be part of an expression"),
        ("_base_ = 'bad.py'", ValueError, "leads back to"),
        ("_base_ = '_base_/runtim.py'", FileNotFoundError, "near names in .*: runtime.py"),
        ("a = 1\nb = dict(\n", ValueError, "bad.py, line 2: syntax error"),
        ("a = 1\n\nb = a + missing\n", ValueError, "bad.py, line 3: NameError"),
        ("custom_imports = dict(imports=['no_such_module_x'])", ImportError, "cannot import 'no_such_module_x'"),
    ],
)
def test_bad_files_name_the_file_and_the_cause(tree, text, error, match):
    tree("_base_/twin.py", "epoch = 3")
    with pytest.raises(error, match=match):
        Config.fromfile(tree("bad.py", text))

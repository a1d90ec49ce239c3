import argparse
import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.config import Config, DictAction, parse_value


@pytest.fixture
def tree(tmp_path):
    """write(name, text) -> path of a config in a folder of two bases and a child."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    write("_base_/runtime.py", "seed = None\nepoch = 10\nhooks = [dict(type='A', x=1), dict(type='B')]\n")
    write(
        "_base_/model.py",
        "width = 8\nlr = 0.1\nmodel = dict(type='M', head=dict(type='H', width=width), depth=2)\n"
        "optimizer = dict(type='SGD', lr=lr, momentum=0.9)\n",
    )
    write(
        "child.py",
        "import os\n"
        "_base_ = ['_base_/runtime.py', '_base_/model.py']\n"
        "grid_size = 0.02\n"
        "def unused():\n    return 1\n"
        "model = dict(depth=3, head=dict(_delete_=True, type='H2'))\n"
        "name = '{{ fileBasenameNoExtension }}'\n"
        "copied = dict(width={{ _base_.model.head.width }}, all=[{{ _base_.optimizer }}])\n"
        "transform = [dict(type='GridSample', grid_size=grid_size), dict(type='Crop', radius=grid_size * 10)]\n",
    )
    return write


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


def test_dotted_options(tree, tmp_path):
    cfg = Config.fromfile(tmp_path / "child.py", {"hooks.0.x": 5, "model.new.deep": [1], "hooks.1": dict(type="C")})
    assert cfg.hooks == [dict(type="A", x=5), dict(type="C")] and cfg.model.new.deep == [1]


@pytest.mark.parametrize(
    "options, error, match",
    [
        ({"gird_size": 1}, KeyError, "did you mean grid_size"),
        ({"hooks.7.x": 1}, KeyError, "no index of a list of 2"),
        ({"model.depth.x": 1}, ValueError, "cannot set 'x' inside the int"),
    ],
)
def test_wrong_options(tree, tmp_path, options, error, match):
    with pytest.raises(error, match=match):
        Config.fromfile(tmp_path / "child.py", options)


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


def test_a_copy_is_a_config_of_its_own(tmp_path):
    (tmp_path / "a.py").write_text("model = dict(width=1)")
    cfg = Config.fromfile(str(tmp_path / "a.py"))
    twin = copy.deepcopy(cfg)
    twin.model.width = 2
    assert isinstance(twin, Config) and twin.filename == cfg.filename and cfg.model.width == 1
    twin.dump(str(tmp_path / "b.py"))
    assert Config.fromfile(str(tmp_path / "b.py")).model.width == 2


def test_dump_copy_and_pickle_reload_equal(tree, tmp_path):
    cfg = Config.fromfile(tmp_path / "child.py", {"seed": 4})
    cfg.dump(tmp_path / "dump.py")
    for other in (Config.fromfile(tmp_path / "dump.py"), copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert dict(other.items()) == dict(cfg.items())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text().filter(lambda s: "{{" not in s),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["a", "b_1", "type", "lambda", "a b", "1"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(values)
def test_any_value_survives_the_dump(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("dump") / "c.py"
    cfg = Config(dict(value=value))
    cfg.dump(path)
    assert Config.fromfile(path).value == cfg.value


def test_values_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'x': a set cannot be written"):
        Config(dict(x={1})).dump(tmp_path / "c.py")


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3),
        ("-1e-3", -1e-3),
        ("true", True),
        ("None", None),
        ("'text'", "text"),
        ("data/my scans", "data/my scans"),
        ("1,2,3", [1, 2, 3]),
        ("1,", [1]),
        ("[a, b, c]", ["a", "b", "c"]),
        ("[(1, 2, 3), [a, b], c]", [(1, 2, 3), ["a", "b"], "c"]),
        ("(1,2),(3,4)", [(1, 2), (3, 4)]),
        ("()", ()),
    ],
)
def test_values_of_the_command_line(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


def test_dict_action(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--options", nargs="+", action=DictAction)
    options = parser.parse_args(["--options", "a.b=1", "c=x=y", "--options", "d=[1,2]"]).options
    assert options == {"a.b": 1, "c": "x=y", "d": [1, 2]}
    for wrong in ("novalue", "a=[1"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--options", wrong])
    assert "takes key=value, found 'novalue'" in capsys.readouterr().err

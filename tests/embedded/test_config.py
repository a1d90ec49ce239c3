import argparse
import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.config import Config, DictAction, parse_value


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

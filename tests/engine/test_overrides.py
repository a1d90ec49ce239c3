"""Items of a list are addressed by their type, on both hosts."""

import pytest

from pointins_ext.engine.overrides import with_indices
from pointins_ext.host import NAME, Config, default_config_parser

TREE = dict(
    hooks=[dict(type="ModelHook"), dict(type="ODRHook", prior="indoor"), dict(type="Twice"), dict(type="Twice")],
    data=dict(train=dict(datasets=[dict(type="A", transform=[dict(type="B", size=1)])])),
    plain=[1, 2],
)


@pytest.mark.parametrize(
    "key, expected",
    [
        ("hooks.ODRHook.prior", "hooks.1.prior"),
        ("hooks.1.prior", "hooks.1.prior"),
        ("hooks.ODRHook", "hooks.1"),
        ("data.train.datasets.A.transform.B.size", "data.train.datasets.0.transform.0.size"),
        ("plain.1", "plain.1"),
        ("new.key", "new.key"),
        ("hooks", "hooks"),
    ],
)
def test_types_become_indices(key, expected):
    assert with_indices(TREE, key) == expected


@pytest.mark.parametrize(
    "key, message",
    [
        ("hooks.SCRHook.radius", "none has the type 'SCRHook'; types are ModelHook, ODRHook, Twice, Twice"),
        ("hooks.Twice.x", "2 have the type 'Twice'"),
        ("plain.first", "none has the type 'first'"),
    ],
)
def test_what_is_not_there_or_not_alone_is_named(key, message):
    with pytest.raises(KeyError, match=message):
        with_indices(TREE, key)


CONFIG = """
epoch = 2
seed = 1
resume = False
save_path = "exp"
eval_epoch = 2
hooks = [dict(type="ModelHook"), dict(type="ODRHook", prior="indoor")]
data = dict(train=dict(type="Scans", transform=[dict(type="GridSample", grid_size=0.02)]))
"""


def test_the_hosts_parser_takes_them(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(CONFIG)
    options = {"hooks.ODRHook.prior": "outdoor", "data.train.transform.GridSample.grid_size": 0.05}
    options |= dict(save_path=str(tmp_path / "exp"))
    cfg = default_config_parser(str(path), options)
    assert cfg.hooks[1]["prior"] == "outdoor" and cfg.data.train.transform[0]["grid_size"] == 0.05
    assert len(cfg.hooks) == 2 and "ODRHook" not in cfg.data


@pytest.mark.skipif(NAME != "embedded", reason="Pointcept's Config is Pointcept's")
def test_the_embedded_config_takes_them(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(CONFIG)
    assert Config.fromfile(str(path), {"hooks.ODRHook.prior": "x"}).hooks[1].prior == "x"

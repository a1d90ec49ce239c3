"""The tests run on the embedded host, also where Pointcept is at hand."""

import os

import pytest

os.environ.setdefault("POINTINS_HOST", "embedded")


def pytest_collection_modifyitems(items):
    """The run on Pointcept first: it is by far the longest, and other workers do the rest meanwhile."""
    items.sort(key=lambda item: "test_on_pointcept" not in item.nodeid)


@pytest.fixture(autouse=True)
def every_notice_is_new(monkeypatch):
    """A process says a notice only so often; each test is to see its own."""
    from pointins_ext import errors

    monkeypatch.setattr(errors, "_notices", type(errors._notices)())


@pytest.fixture(autouse=os.environ["POINTINS_HOST"] == "pointcept")
def plain_dumps(monkeypatch):
    """Pointcept lays out a config that it dumps, for a second or more: here it is one line a key."""
    monkeypatch.setattr("pointcept.utils.config.FormatCode", lambda text, **_: (text, True))


@pytest.fixture
def tiny_config(tmp_path):
    """Path of the tiny experiment's config file."""
    from tests.fixtures.tiny_training import CONFIG

    path = tmp_path / "tiny.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def build_trainer(tiny_config, tmp_path):
    """build_trainer(name, **options) -> trainer of the experiment `name`; dots of option keys are written `__`."""

    from pointins_ext.embedded.defaults import default_config_parser, default_setup
    from pointins_ext.embedded.registry import TRAINERS

    def build(name="run", **options):
        options = {key.replace("__", "."): value for key, value in options.items()}
        cfg = default_config_parser(tiny_config, {"save_path": str(tmp_path / name), **options})
        return TRAINERS.build(dict(type=cfg.train.type, cfg=default_setup(cfg)))

    return build


@pytest.fixture
def read_losses(tmp_path):
    """read_losses(name) -> {step: loss} of an experiment; a step trained twice keeps its last loss."""

    def read(name="run"):
        lines = (tmp_path / name / "losses.txt").read_text().split("\n")[:-1]
        return {int(step): float.fromhex(loss) for step, loss in map(str.split, lines)}

    return read

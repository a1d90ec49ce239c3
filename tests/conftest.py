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

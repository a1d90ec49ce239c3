"""The tests run on the embedded host, also where Pointcept is at hand."""

import os

os.environ.setdefault("POINTINS_HOST", "embedded")


def pytest_collection_modifyitems(items):
    """The run on Pointcept first: it is by far the longest, and other workers do the rest meanwhile."""
    items.sort(key=lambda item: "test_on_pointcept" not in item.nodeid)

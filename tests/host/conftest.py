"""For the tests of bindings in a Python of their own."""

import pytest

USERS = ("timm", "torch_geometric")


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """A folder for PYTHONPATH: what adapts itself to the modules that it finds, without the seconds of its import.

    Each asserts that it comes before any stand-in.
    """
    folder = tmp_path_factory.mktemp("light")
    for name in USERS:
        (folder / f"{name}.py").write_text("import sys\nassert 'torch_cluster' not in sys.modules\n")
    return folder

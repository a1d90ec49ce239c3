"""Files that the tests of the embedded host read."""

import pytest
import torch

from tests.fixtures.dataset_layouts import LAYOUTS
from tests.fixtures.tiny_datasets import WRITERS


@pytest.fixture
def hidden_gpus(monkeypatch):
    """For this process and its children: one that is forked cannot use a GPU, and both are to get the same numbers."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


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


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in LAYOUTS}
    for kind, folder in folders.items():
        WRITERS[kind](folder)
    return folders

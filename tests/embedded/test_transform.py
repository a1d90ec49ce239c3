"""Transforms of the embedded host: properties, bad inputs, and agreement with Pointcept where it is at hand."""

import importlib.util
import os
import random
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from pointins_ext.embedded.transform import TRANSFORMS, Compose
from tests.fixtures.transform_scenes import AFFINE, NEEDED, build, make_scene, run

EMBEDDED = {name for name, cls in TRANSFORMS.module_dict.items() if cls.__module__.startswith("pointins_ext.embedded")}


@pytest.mark.parametrize("name", sorted(EMBEDDED - {"ToTensor"}))
def test_no_transform_writes_into_its_input_or_leaves_float32(name):
    scene = make_scene()
    for value in scene.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    np.random.seed(0)
    result = build(name, **NEEDED.get(name, {}))(dict(scene))
    for key in ("coord", "color", "normal"):
        assert key not in result or result[key].dtype == np.float32


def test_unknown_transform_names_pointcept_as_the_way():
    with pytest.raises(KeyError, match="install Pointcept"):
        Compose([dict(type="ImgGaussianBlur")])


# the same numbers as Pointcept's


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(scope="module")
def pointcept():
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        pytest.skip("POINTCEPT_ROOT is not set")
    # the file alone: the package around it needs compiled parts, and torchvision serves images only
    spec = importlib.util.spec_from_file_location("pointcept_transform", Path(root, "pointcept/datasets/transform.py"))
    module = importlib.util.module_from_spec(spec)
    stand_ins = dict(torchvision=mock.MagicMock(), pointcept_transform=module)
    with mock.patch.dict(sys.modules, stand_ins), mock.patch.object(sys, "path", [root, *sys.path]):
        spec.loader.exec_module(module)
    return module


OF_POINTCEPT = {name for name, cls in TRANSFORMS.module_dict.items() if ".embedded." in cls.__module__}


@pytest.mark.parametrize("name", sorted(OF_POINTCEPT - {"ToTensor", "Collect", "RandomColorGrayScale"}))
def test_equals_pointcept(name, pointcept):
    if name == "InstanceParser" and not hasattr(np, "in1d"):
        pytest.skip("Pointcept's InstanceParser needs numpy < 2.4")
    kwargs = NEEDED.get(name, {})
    if name == "MultiViewGenerator":
        kwargs = dict(kwargs, global_shared_transform=[dict(type="ChromaticJitter")], global_transform=AFFINE)
    for seed in range(3):
        seed_all(seed)
        expected = pointcept.TRANSFORMS.build(dict(type=name, **kwargs))(make_scene(seed))
        seed_all(seed)
        result = run(name, make_scene(seed), **kwargs)
        assert set(result) - {"index_valid_keys"} == set(expected) - {"index_valid_keys"}
        for key, value in expected.items():
            if isinstance(value, np.ndarray):
                assert result[key] == pytest.approx(value, abs=2e-4 if "color" not in key else 0.02), (name, key)

import numpy as np
import pytest
import torch

from pointins_ext.errors import _notices
from pointins_ext.inference import Predictor
from tests.fixtures.tiny_predictor import config, trained


@pytest.fixture(autouse=True)
def all_notices():
    _notices.clear()


@pytest.fixture(scope="module")
def cfg():
    return config()


@pytest.fixture(scope="module")
def model(cfg):
    return trained(cfg)


@pytest.fixture(scope="module")
def predictor(cfg, model):
    return Predictor.from_config(model.teacher, cfg)


@pytest.fixture(scope="module")
def scene():
    """Three boxes on a floor, raw points denser than the voxels; objects 0..2, the floor is -1."""
    generator = np.random.default_rng(0)
    parts, labels = [generator.uniform((0, 0, 0), (2.4, 1.2, 0.0), (4000, 3))], [-np.ones(4000, int)]
    for number in range(3):
        point = generator.uniform(-0.25, 0.25, (1500, 3))
        axis = np.arange(1500) % 3
        point[np.arange(1500), axis] = 0.25 * np.sign(point[np.arange(1500), axis])
        parts.append(point + (0.4 + 0.8 * number, 0.6, 0.5))
        labels.append(np.full(1500, number))
    coord = np.concatenate(parts).astype(np.float32)
    color = generator.uniform(0, 255, (len(coord), 3)).astype(np.float32)
    normal = generator.normal(size=(len(coord), 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return dict(coord=coord, color=color, normal=normal, instance=np.concatenate(labels))


@pytest.fixture
def checkpoint(tmp_path, cfg, model):
    path = tmp_path / "model_last.pth"
    torch.save(dict(state_dict=model.state_dict(), config=cfg.to_dict(), epoch=3), path)
    return path

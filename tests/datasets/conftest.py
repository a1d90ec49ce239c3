"""A scan with everything that a scene has a use for, and what is said of one."""

import warnings

import numpy as np
import pytest

import pointins_ext.errors


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(40, 3))
    return dict(
        coord=rng.uniform(-5, 5, (40, 3)).astype(np.float32),
        color=rng.integers(0, 256, (40, 3)).astype(np.float32),
        normal=(normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        strength=rng.random((40, 1)).astype(np.float32),
        segment=rng.integers(-1, 5, 40).astype(np.int32),
        instance=rng.integers(-1, 9, 40).astype(np.int32),
    )


@pytest.fixture
def said(monkeypatch):
    """What is said in a test; ends are for processes."""
    monkeypatch.setattr(pointins_ext.errors, "MAX_NOTICES", 10**9)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said

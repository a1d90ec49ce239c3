"""Blocks: each voxel once, each with its surroundings, and the same offsets as without them."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.inference.blocks import MARGIN_VOXELS, cut_blocks, predict_blocks
from tests.fixtures.tiny_pointins import GRID


def cloud(seed, number, width=20.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, [width, width * rng.uniform(0.1, 1), 2], (number, 3)).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 3000), st.sampled_from([0.0, 0.3, 2.0, 50.0]), st.integers(1, 2000))
def test_every_voxel_is_owned_once_where_it_lies_deepest(seed, number, margin, most):
    coord = cloud(seed, number)
    blocks = list(cut_blocks(coord, margin, most))
    assert np.array_equal(np.sort(np.concatenate([own for own, _ in blocks])), np.arange(number))
    depth = np.full((len(blocks), number), -np.inf)
    for i, (own, block) in enumerate(blocks):
        low, high = (f(coord[own, :2], axis=0) for f in (np.min, np.max))
        inside = ((coord[:, :2] >= low - margin) & (coord[:, :2] <= high + margin)).all(axis=1)
        assert np.array_equal(block, np.flatnonzero(inside)) and np.isin(own, block).all()
        assert len(block) <= most or (high - low).max() <= margin
        edge = np.minimum(coord[:, :2] - (low - margin), high + margin - coord[:, :2]).min(axis=1)
        depth[i, block] = edge[block]
    for i, (own, _) in enumerate(blocks):
        assert (depth[i, own] >= depth[:, own].max(axis=0) - 1e-4).all()


def test_results_are_in_the_order_of_the_voxels_whatever_that_of_the_blocks():
    coord = cloud(0, 2000)
    blocks = list(cut_blocks(coord, 1.0, 300))
    assert len(blocks) > 8

    def predict(block):
        assert block.dtype == torch.long
        return coord[block] * 2, block.numpy()[:, None]

    for order in (blocks, blocks[::-1]):
        offset, feat = predict_blocks(order, predict)
        assert np.array_equal(offset, coord * 2) and np.array_equal(feat[:, 0], np.arange(2000))


@pytest.fixture
def in_blocks(predictor):
    result = copy.copy(predictor)
    result.max_block_voxels = 1500
    return result


def shifted(scene, by):
    return scene | dict(coord=scene["coord"] + np.float32(by))


def test_one_block_is_the_whole_scene(predictor, scene):
    whole = predictor(scene)
    coord = torch.from_numpy(whole.coord)
    assert [len(own) for own, _ in cut_blocks(coord.numpy(), 1.0)] == [len(coord)]
    limit = copy.copy(predictor)
    limit.max_block_voxels = len(coord)  # just enough for one block
    np.testing.assert_array_equal(limit(scene).offset, whole.offset)
    np.testing.assert_array_equal(limit(scene).feat, whole.feat)


def test_far_apart_scenes_are_predicted_as_each_alone(in_blocks, scene):
    """Steps of the grid between them, so that the voxels are the same."""
    step = np.float32([800 * GRID, 0, 0])
    both = {key: np.concatenate([scene[key]] * 2) for key in ("coord", "color", "normal")}
    both["coord"][len(scene["coord"]) :] += step
    number = len(in_blocks._voxels(scene)[1])
    in_blocks.max_block_voxels = number + 50
    alone, together = in_blocks(scene), in_blocks(both)
    far = together.coord[:, 0] > 10
    assert len(together.coord) == len(together.offset) == len(together.feat)
    # floats of far coordinates fall into other voxels at their borders
    near = together.offset[~far]
    np.testing.assert_allclose(near, alone.offset, atol=1e-5)
    np.testing.assert_allclose(together.feat[~far], alone.feat, atol=1e-4)
    other = in_blocks(shifted(scene, step))
    np.testing.assert_allclose(together.offset[far], other.offset, atol=1e-4)


def test_a_scene_in_blocks_is_one_prediction(in_blocks, predictor, scene):
    coord = np.concatenate([scene["coord"] + np.float32([2.5 * i, 0, 0]) for i in range(8)])
    wide = dict(coord=coord, color=np.tile(scene["color"], (8, 1)), normal=np.tile(scene["normal"], (8, 1)))
    in_blocks.max_block_voxels = len(predictor(wide).coord) // 2
    assert MARGIN_VOXELS * GRID < 20
    prediction, whole = in_blocks(wide), predictor(wide)
    np.testing.assert_array_equal(prediction.coord, whole.coord)
    assert prediction.feat.shape == whole.feat.shape
    assert np.isfinite(prediction.offset).all() and not np.array_equal(prediction.offset, whole.offset)
    assert prediction.instances(min_points=10).shape == (len(coord),)

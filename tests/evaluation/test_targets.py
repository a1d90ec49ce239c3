"""Scores of targets: perfect ones are perfect, and each fault shows in its own column."""

import math

import pytest
import torch

from pointins_ext.branch import OffsetField, PseudoInstances, StageFeatures
from pointins_ext.evaluation.targets import score_targets

VOXEL = 0.1


@pytest.fixture
def scene():
    """Two views of two objects of 50 and 200 voxels and 100 voxels of none, the second view shifted by half a voxel."""
    generator = torch.Generator().manual_seed(0)
    instance = torch.cat([torch.full((50,), 0), torch.full((200,), 1), torch.full((100,), -1)])
    place = torch.tensor([[0.0, 0, 0], [3.0, 0, 0], [0.0, 5, 0]])
    coord = place[instance] + torch.rand(350, 3, generator=generator)
    center = place[instance] + 0.5
    center[instance < 0] = torch.nan
    coord = torch.cat([coord, coord + 0.001])
    view = torch.arange(2).repeat_interleave(350)
    return coord, view, instance.repeat(2), center.repeat(2, 1), torch.ones(700)


def scores(scene, offset, valid=None, label=None):
    coord, view, instance, center, visible = scene
    valid = instance >= 0 if valid is None else valid
    found = None if label is None else PseudoInstances(label, coord + offset, valid, label, ~valid)
    field = OffsetField(
        coord, StageFeatures(coord), offset, view, valid, torch.zeros_like(view), torch.full((2,), VOXEL), found
    )
    return score_targets(field, instance, center, visible)


def perfect(scene):
    coord, _, instance, center, _ = scene
    return torch.where((instance >= 0)[:, None], center - coord, torch.zeros_like(coord))


def test_true_centers_are_perfect(scene):
    row = scores(scene, perfect(scene), label=scene[2].clamp(min=0))
    assert row["cosine"] == pytest.approx(1) and row["error"] == pytest.approx(0, abs=1e-6)
    assert row["ratio"] == pytest.approx(1) and row["ari"] == row["kept"] == 1 and row["stuff"] == 0
    assert row["apart"] == pytest.approx(0, abs=1e-3) and math.isnan(row["apart_stuff"])
    assert math.isnan(row["cosine_cut"]) and math.isnan(row["kept_small"])
    assert row["kept_medium"] == row["kept_large"] == 1


def test_half_the_length_is_the_ratio_alone(scene):
    row = scores(scene, 0.5 * perfect(scene))
    assert row["cosine"] == pytest.approx(1) and row["ratio"] == pytest.approx(0.5) and "ari" not in row


def test_targets_on_none_are_stuff(scene):
    row = scores(scene, perfect(scene), valid=torch.ones(700, dtype=torch.bool))
    assert row["stuff"] == pytest.approx(100 / 350) and row["kept"] == 1
    assert row["apart_stuff"] == pytest.approx(0.001 * 3**0.5, rel=0.1)


def test_objects_that_lose_their_targets_are_missed_by_size(scene):
    row = scores(scene, perfect(scene), valid=scene[2] == 1)
    assert row["kept"] == pytest.approx(0.8) and (row["kept_medium"], row["kept_large"]) == (0, 1)


def test_views_that_disagree_and_cut_objects_have_columns_of_their_own(scene):
    coord, view, instance, center, visible = scene
    offset = perfect(scene)
    offset[view == 1] += torch.tensor([0.3, 0, 0])
    visible = torch.where((view == 1) & (instance == 0), 0.5, 1.0)
    row = scores((coord, view, instance, center, visible), offset)
    assert row["apart"] == pytest.approx(0.3, abs=0.01)
    assert row["cosine_cut"] < 1 and row["error"] == pytest.approx(0.15, abs=1e-3)


def test_objects_that_share_a_label_lower_the_rand_index_and_views_do_not(scene):
    _, view, instance, _, _ = scene
    merged = scores(scene, perfect(scene), label=torch.zeros_like(instance))
    by_view = scores(scene, perfect(scene), label=instance.clamp(min=0) + 5 * view)
    assert merged["ari"] < 0.8 and by_view["ari"] == 1


def test_a_crop_without_objects_has_no_scores_but_that_of_stuff(scene):
    coord, view, instance, center, visible = scene
    nothing = coord, view, torch.full_like(instance, -1), torch.full_like(center, torch.nan), visible
    row = scores(nothing, perfect(scene), valid=view >= 0, label=view)
    assert row["stuff"] == 1 and row["apart_stuff"] > 0
    assert all(math.isnan(row[name]) for name in ("cosine", "ari", "error", "ratio", "kept", "kept_small", "apart"))

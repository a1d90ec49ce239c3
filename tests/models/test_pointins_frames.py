"""The offset loss of PointINS in the frame of the scene, whatever the frame of the views."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    SpatialClusteringRegularization,
    StageFeatures,
)
from pointins_ext.models.passes import BackboneOutput, Passes
from tests.fixtures.tiny_pointins import (
    GRID,
    VIEW_MAPS,
    about_z,
    backbone_config,
    batch,
    build,
    pointins_config,
    scene_points,
)


def with_regularizers(model):
    model.add_regularizer(OffsetDistributionRegularization(MagnitudePrior.load("indoor")))
    model.add_regularizer(SpatialClusteringRegularization(num_clusters=3, radius=0.2, feature="concat", min_points=3))
    return model


def replace_feat(views, feat):
    return replace(views, features=StageFeatures(feat))


# off the grid: equal lengths would be told apart by rounding, and ranks make that large
SCATTERED = scene_points(0)[:300] + 0.04 * torch.rand(300, 3, generator=torch.Generator().manual_seed(0))


def scene_pass(view_map, share=1.0, other=None):
    """Two views of one scene whose features are, in the frame of the view, the offsets to the origin of the scene."""
    points = SCATTERED
    maps = [view_map, view_map if other is None else other]
    origin = torch.cat([points, points])
    view = torch.arange(2).repeat_interleave(len(points))
    coord = torch.cat([points @ m.T + 0.7 for m in maps])
    offset = torch.cat([-share * points @ m.T for m in maps])
    return BackboneOutput(StageFeatures(offset), coord, origin, (origin / GRID).long(), view, 2, 2 * GRID)


class ReadOff(nn.Module):
    def forward(self, features):
        return features.finest


def oracle_heads(model):
    """Heads that read the offset, in the frame of the view, off the features."""
    for networks in (model.student, model.teacher):
        networks["offset_head"] = ReadOff()
    return model


# views turned, flipped and scaled give the same targets and the same loss in the scene frame
@pytest.mark.parametrize("view_map", [*VIEW_MAPS, about_z(211, 0.9, flip=True) @ about_z(45)[[0, 2, 1]][:, [0, 2, 1]]])
def test_the_frame_of_a_view_does_not_matter(view_map):
    model = with_regularizers(oracle_heads(build(pointins_config())))
    scr = model.teacher_regularizers[1]

    scr._slice = lambda field: field.coord  # the features that are clustered must not depend on the frame either

    def run(first_map):
        scr.generator = torch.Generator().manual_seed(0)
        teacher, student = scene_pass(first_map, other=about_z(12)), scene_pass(first_map, 0.5, other=about_z(80))
        loss, matched = model.offset_loss(Passes(teacher, (student,)))
        return loss, matched, model.teacher_field, model.target_field

    plain, turned = run(about_z(0)), run(view_map)
    torch.testing.assert_close(turned[2].offset, plain[2].offset, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(turned[2].offset, -plain[2].coord, atol=2e-5, rtol=1e-4)
    moved = (turned[3].center - plain[3].center).norm(dim=1) > 2e-3
    assert moved.float().mean() < 0.01  # but for edges whose length is the radius to the last digit
    torch.testing.assert_close(turned[0], plain[0], atol=0, rtol=0.01)
    assert float(turned[1]) == pytest.approx(float(plain[1]), abs=0.01) and plain[1] > 0


def test_a_perfect_student_has_no_loss_in_any_frame():
    model = oracle_heads(build(pointins_config()))
    loss, matched = model.offset_loss(
        Passes(scene_pass(about_z(0)), (scene_pass(about_z(120, 0.9), other=about_z(9)),))
    )
    assert loss.item() == pytest.approx(0.0, abs=2e-4) and matched == 1.0
    loss, _ = model.offset_loss(Passes(scene_pass(about_z(0)), (scene_pass(about_z(120), share=0.5),)))
    points = SCATTERED
    assert loss.item() == pytest.approx(0.5 * points.abs().sum(1).mean().item(), rel=1e-3)


def test_targets_are_found_by_scene_position_within_a_voxel():
    model = oracle_heads(build(pointins_config()))
    teacher = scene_pass(about_z(0))
    shifted = SCATTERED + torch.tensor([0.02, 0.0, 0.0])
    student = scene_pass(about_z(0))
    student = replace(student, scene_coord=torch.cat([shifted, shifted + 10]), voxel=0.1)
    passes = Passes(teacher, (student,))
    model.teacher_field = model._scene_field(teacher, model.teacher.offset_head, passes)
    model.target_field = model.teacher_field
    field = model._scene_field(student, model.student.offset_head, passes)
    (target, _), (valid, _) = model._targets_of(student, field, passes)
    assert valid[:300].all() and not valid[300:].any()
    # the target is the center that the teacher's voxel points at, seen from the student's own place
    torch.testing.assert_close(target[:300], -shifted, atol=1e-4, rtol=1e-4)
    model.match_radius = 0.001
    assert model._targets_of(student, field, passes)[1].sum() < 60


@pytest.mark.parametrize("warmup", [0, 10])
@pytest.mark.parametrize("bent", [None, "global", "local"])
def test_a_nonlinear_augmentation_is_named_once_and_at_the_first_step(monkeypatch, bent, warmup):
    warnings = []
    logger = SimpleNamespace(warning=warnings.append)
    monkeypatch.setattr("pointins_ext.models.pointins.get_root_logger", lambda: logger)
    data = batch(num_local=2)
    if bent:
        coord = data[f"{bent}_coord"]
        data[f"{bent}_coord"] = coord + 0.4 * torch.sin(3 * coord.roll(1, 1))
    local_views = dict(type="LocalViews-v1m1", backbone=backbone_config(), head_in_channels=32, num_local_view=2)
    model = build(pointins_config(local_views, offset_warmup_steps=warmup))
    model(data)
    assert len(warnings) == bool(bent)
    model(data)
    assert len(warnings) == bool(bent)
    assert not bent or "ElasticDistortion" in warnings[0] and f"{bent}_transform" in warnings[0]


def test_student_regularizers_change_values_and_pass_gradients_straight():
    views = scene_pass(about_z(0))
    model = oracle_heads(build(pointins_config()))
    leaf = views.feat.clone().requires_grad_()
    field = model._scene_field(replace_feat(views, leaf), model.student.offset_head, Passes(views, (views,)))
    model.add_regularizer(OffsetDistributionRegularization("indoor"), side="student")
    prediction = model._regularized(field)
    expected = OffsetDistributionRegularization("indoor")(field.offset, field.view)
    torch.testing.assert_close(prediction.detach(), expected)
    assert not torch.allclose(prediction, field.offset)
    weight = torch.randn_like(prediction)
    (prediction * weight).sum().backward()
    torch.testing.assert_close(leaf.grad[:, :3], weight, atol=1e-4, rtol=1e-3)
    assert model.teacher_regularizers == []

"""Sonata over several steps: teacher, schedules, ranks, and PointINS around it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.models.sinkhorn import sinkhorn_knopp
from tests.fixtures.tiny_pointins import (
    backbone_config,
    batch,
    build,
    pointins_config,
)
from tests.fixtures.tiny_sonata import scattered, sonata_config, two_ranks

LOSSES = ("mask_loss", "roll_mask_loss", "unmask_loss")


def cosines(num_points, num_prototypes=12, seed=0):
    return 2 * torch.rand(num_points, num_prototypes, generator=torch.Generator().manual_seed(seed)) - 1


# -- training -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_the_teacher_is_the_moving_average_of_the_student(momentum):
    model = build(sonata_config())
    for p in model.student.parameters():
        if p.requires_grad:
            p.data.normal_()
    before = [p.clone() for p in model.teacher.parameters()]
    model.momentum = momentum
    model.after_step()
    for old, new, target in zip(before, model.teacher.parameters(), model.student.parameters(), strict=True):
        torch.testing.assert_close(new, momentum * old + (1 - momentum) * target)


def test_teacher_starts_as_the_student_and_takes_its_own_options():
    model = build(sonata_config(teacher_custom=dict(gain=0.5)))
    student, teacher = model.student.state_dict(), model.teacher.state_dict()
    assert list(student) == list(teacher) and all(torch.equal(student[key], teacher[key]) for key in student)
    assert (model.student.backbone.gain, model.teacher.backbone.gain) == (1.0, 0.5)


def test_schedules_start_and_end_where_they_should():
    model = build(
        sonata_config(mask_size_start=0.1, mask_size_base=0.4, mask_ratio_start=0.3, mask_ratio_base=0.7)
        | {f"{name}_warmup_ratio": 0.2 for name in ("mask_size", "mask_ratio", "teacher_temp")}
    )
    model.trainer = SimpleNamespace(start_epoch=0, max_epoch=4, train_loader=range(5), writer=None)
    model.before_train()
    seen = []
    for _ in range(20):
        model.before_step()
        seen.append((model.mask_size, model.mask_ratio, model.teacher_temp, model.momentum))
    assert seen[0] == pytest.approx((0.1, 0.3, 0.04, 0.996))
    assert seen[3][:3] == pytest.approx((0.4, 0.7, 0.07)) and seen[-1][:3] == pytest.approx((0.4, 0.7, 0.07))
    momentum = [values[3] for values in seen]
    assert momentum == sorted(momentum) and momentum[-1] == pytest.approx(1.0, abs=1e-4)


def test_two_ranks_equal_one_on_both_scenes(tmp_path):
    """One rank has nothing to assign in the Sinkhorn alone; no masks, whose choice would differ."""
    config, data = sonata_config(mask_ratio_start=0.0), scattered(batch(num_local=3))
    similarity = cosines(20)
    arguments = str(tmp_path / "store"), config, data, similarity, str(tmp_path / "answer")
    torch.multiprocessing.spawn(two_ranks, arguments, nprocs=2)
    first, second = (torch.load(tmp_path / f"answer{rank}") for rank in (0, 1))
    torch.testing.assert_close(first["target"], sinkhorn_knopp(similarity, 0.05))
    assert second["target"].shape == (0, 12)
    model = build(config)
    expected = model(data)
    expected["loss"].backward()
    for name in LOSSES:  # what is logged is the mean; the loss itself stays that of the rank
        torch.testing.assert_close(first["losses"][name], expected[name])
        assert torch.equal(first["losses"][name], second["losses"][name])
    mean = (first["losses"]["loss"] + second["losses"]["loss"]) / 2
    torch.testing.assert_close(mean, expected["loss"].detach())
    for name, gradient in first["gradients"].items():
        whole = model.get_parameter(name).grad
        assert (gradient - whole).norm() <= 1e-4 * whole.norm(), name


# -- inside PointINS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Sonata-v1m1", "Sonata-v1m2"])
def test_pointins_around_sonata_makes_steps_on_local_views(kind):
    pretrainer = sonata_config(type=kind, backbone=backbone_config(mask_token=True), head_in_channels=32)
    model = build(pointins_config(pretrainer))
    students, original = [], model._teacher_views

    def watched(student, passes):
        students.append((student.view, original(student, passes)))
        return students[-1][1]

    model._teacher_views = watched
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    data, losses = batch(num_local=3), []
    for _ in range(3):
        optimizer.zero_grad()
        result = model(data)
        result["loss"].backward()
        optimizer.step()
        model.after_step()
        losses.append({name: value.item() for name, value in result.items()})
    assert set(losses[0]) == {"loss", *LOSSES, "offset_loss", "offset_matched"}
    assert all(np.isfinite(list(step.values())).all() for step in losses)
    assert losses[0]["offset_loss"] > 0.1 and losses[0]["offset_matched"] > 0.5
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(p.grad.any() for name, p in model.student.named_parameters() if not name.endswith("original0"))
    (masked, (same, cross)), (local, (principal,)) = students[:2]
    assert torch.equal(same, masked) and torch.equal(cross, masked ^ 1)
    assert torch.equal(principal, local // 3 * 2)
    teacher, student = model.teacher.offset_head.mlp[3].weight, model.student.offset_head.mlp[3].weight
    assert not torch.equal(teacher, student) and "student.offset_head.mlp.3.weight" in model.state_dict()

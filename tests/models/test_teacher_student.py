"""What our teacher-student pretrainers share: the moving average, options of the teacher, schedules."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.fixtures.tiny_pointins import GRID, backbone_config, batch, build, dos_config
from tests.fixtures.tiny_sonata import sonata_config


@pytest.fixture(scope="module")
def shared():
    """A model for tests that leave it as it is."""
    return build(dos_config())


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_the_teacher_is_the_moving_average_of_the_student(momentum):
    model = build(dos_config())
    for parameter in model.student.parameters():
        parameter.data.normal_()
    student = [p.detach().clone() for p in model.student.parameters()]
    before = [p.clone() for p in model.teacher.parameters()]
    model.momentum = momentum
    model.after_step()
    for old, new, target in zip(before, model.teacher.parameters(), student, strict=True):
        torch.testing.assert_close(new, momentum * old + (1 - momentum) * target)
    assert all(torch.equal(p, q) for p, q in zip(model.student.parameters(), student, strict=True))


def test_teacher_starts_as_the_student_and_takes_its_own_options():
    model = build(dos_config(teacher_custom=dict(drop_path=0.0), backbone=backbone_config(drop_path=0.5)))
    student, teacher = model.student.state_dict(), model.teacher.state_dict()
    assert student.keys() == teacher.keys() and all(torch.equal(student[key], teacher[key]) for key in student)
    drops = {side: str(getattr(model, side).backbone).count("DropPath") for side in ("student", "teacher")}
    assert drops["student"] > 0 == drops["teacher"]


class Writer:
    def __init__(self):
        self.scalars = {}

    def add_scalar(self, name, value, step):
        self.scalars.setdefault(name, []).append(value)


def test_schedules_run_over_the_training_steps():
    model = build(
        dos_config(
            mask_ratio_start=0.3,
            mask_ratio_base=0.7,
            mask_ratio_warmup_ratio=0.5,
            teacher_temp_warmup_ratio=0.1,
            momentum_base=0.9,
            momentum_final=1.0,
        )
    )
    writer = Writer()
    cfg = SimpleNamespace(scheduler=SimpleNamespace(total_steps=10))  # two steps are accumulated
    model.trainer = SimpleNamespace(cfg=cfg, start_epoch=0, max_epoch=4, train_loader=range(5), writer=writer)
    model.before_train()
    seen = []
    for _ in range(20):
        model.before_step()
        seen.append((model.mask_ratio, model.mask_size, model.teacher_temp, model.momentum))
    ratio, size, temp, momentum = map(np.array, zip(*seen, strict=True))
    assert ratio[0] == 0.3 and np.all(np.diff(ratio[:10]) > 0) and np.allclose(ratio[9:], 0.7)
    assert np.allclose(size, 0.2) and temp[0] == 0.04 and np.allclose(temp[2:], 0.07)
    expected = 1.0 + 0.5 * (0.9 - 1.0) * (1 + np.cos(np.pi * np.arange(20) / 20))
    np.testing.assert_allclose(momentum, expected, atol=1e-9)
    assert writer.scalars["params/mask_ratio"] == list(ratio) and len(writer.scalars) == 4
    model.trainer.start_epoch = 2
    model.before_train()
    model.before_step()
    assert model.momentum == pytest.approx(expected[10])


@pytest.mark.parametrize("config", [dos_config, sonata_config], ids=["DOS", "Sonata"])
def test_schedules_of_runs_of_any_length(config):
    model = build(config())
    assert model.schedules["teacher_temp"][3] == 0.05
    for steps in range(1, 41):
        model.trainer = SimpleNamespace(start_epoch=0, max_epoch=steps, train_loader=range(1), writer=None)
        model.before_train()
        for _ in range(steps):
            model.before_step()
            for name, (start, base, final, _) in model.schedules.items():
                assert min(start, base, final) - 1e-9 <= getattr(model, name) <= max(start, base, final) + 1e-9


def test_features_on_request(shared):
    data = batch()
    point = dict(
        coord=data["global_coord"],
        origin_coord=data["global_origin_coord"],
        feat=data["global_feat"],
        offset=data["global_offset"],
        grid_size=GRID,
    )
    with torch.no_grad():
        torch.manual_seed(0)
        answer = shared(point, return_point=True)
        torch.manual_seed(0)
        expected = shared.teacher.backbone(point)
    assert set(answer) == {"point"} and torch.equal(answer["point"].feat, expected.feat)

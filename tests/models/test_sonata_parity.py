"""Our Sonata against the real classes of Pointcept, where a checkout is at hand."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pointins_ext.host import Config, Point, build_model
from tests.fixtures.tiny_pointins import batch, build
from tests.fixtures.tiny_sonata import scattered, sonata_config
from tests.oracles import pointcept_sonata

POINTCEPT = os.environ.get("POINTCEPT_ROOT")
STEPS = 40
pytestmark = pytest.mark.skipif(not POINTCEPT, reason="POINTCEPT_ROOT is not set")

VARIANTS = {
    "v1m1": dict(),
    "v1m2": dict(type="Sonata-v1m2"),
    "v1m1 mask": dict(roll_mask_loss_weight=0, unmask_loss_weight=0, teacher_custom=dict(gain=0.7)),
    "v1m2 unmask": dict(type="Sonata-v1m2", mask_loss_weight=0, roll_mask_loss_weight=0),
    "no jitter, two levels": dict(mask_jitter=None, up_cast_level=2, head_in_channels=24, mask_ratio_start=0.8),
}


def untied(model):
    """Teacher and student differ, gains apart, and every parameter matters."""
    generator = torch.Generator().manual_seed(1)
    for name, p in model.named_parameters():
        if not name.endswith("original0"):
            p.data += 0.3 * torch.randn(p.shape, generator=generator)
    return model


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Each variant of ours, what was asked of Pointcept's, and its answer; in a process of its own."""
    folder = tmp_path_factory.mktemp("pointcept")
    models = {name: untied(build(sonata_config(**changes))) for name, changes in VARIANTS.items()}
    requests = [
        dict(
            config=sonata_config(**VARIANTS[name]),
            state_dict=model.state_dict(),
            batch=scattered(batch(num_local=3)),
            seed=7,
            momentum=0.9,
            total_steps=STEPS,
        )
        for name, model in models.items()
    ]
    torch.save(requests, folder / "request.pt")
    files = [str(folder / "request.pt"), str(folder / "answer.pt")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POINTINS_HOST": "embedded"}
    subprocess.run([sys.executable, pointcept_sonata.__file__, POINTCEPT, *files], check=True, env=environment)
    replies = torch.load(folder / "answer.pt", weights_only=False)
    return {name: item for name, item in zip(models, zip(models.values(), requests, replies, strict=True), strict=True)}


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_pointcept(answers, name):
    model, request, answer = answers[name]
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert list(shapes.items()) == list(answer["shapes"].items())

    torch.manual_seed(request["seed"])
    result = model(request["batch"])
    result["loss"].backward()
    assert list(result) == list(answer["losses"])
    losses = {key: value.detach() for key, value in result.items()}
    torch.testing.assert_close(losses, answer["losses"], rtol=1e-4, atol=0)
    gradients = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    assert gradients.keys() == answer["gradients"].keys()
    for key, gradient in gradients.items():
        error = (gradient - answer["gradients"][key]).norm() / answer["gradients"][key].norm()
        assert error < 1e-4, key

    batch = request["batch"]
    view = {key: batch[f"global_{key}"] for key in ("coord", "origin_coord", "feat", "offset")}
    model.momentum = request["momentum"]
    model.after_step()
    torch.testing.assert_close(dict(model.teacher.state_dict()), dict(answer["teacher"]))
    point = model(Point(view, grid_size=batch["grid_size"][0]), return_point=True)["point"]
    torch.testing.assert_close(point.feat, answer["feat"])


def test_schedules_equal_pointcepts(answers):
    model, _, answer = answers["v1m1"]
    values = []
    for start_epoch in (0, 1):
        model.trainer = SimpleNamespace(
            start_epoch=start_epoch, max_epoch=2, train_loader=range(STEPS // 2), writer=None
        )
        model.before_train()
        for _ in range(STEPS - start_epoch * STEPS // 2):
            model.before_step()
            values.append([getattr(model, name) for name in pointcept_sonata.SCHEDULED])
    torch.testing.assert_close(torch.tensor(values), torch.tensor(answer["scheduled"]))


@pytest.mark.parametrize("name", ["pretrain-sonata-v1m1-0-base", "pretrain-sonata-v1m2-0-uni-teacher-head"])
def test_pointcepts_configs_build(name):
    cfg = Config.fromfile(str(Path(POINTCEPT) / "configs" / "sonata" / f"{name}.py"))
    with torch.device("meta"):
        model = build_model(cfg.model)
    assert model.student.unmask_head.mlp[0].in_features == 1088
    assert model.match_radius == pytest.approx(0.32) and type(model).__module__ == "pointins_ext.models.sonata"

"""The memory that a training needs: what is counted, by hand and against PyTorch's own account, and what is said."""

import pytest
import torch

from pointins_ext.cli import memory
from tests.fixtures.verbs import tool

GIB = 2**30


class Squares(torch.nn.Module):
    """Keeps two tensors of four bytes a number for its backward pass: its input and what it squares."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))

    def forward(self, batch):
        return {"loss": (batch["coord"] * self.weight).square().sum()}


def test_what_is_kept_is_counted_once_and_without_the_weights():
    batch = dict(coord=torch.rand(500, 3), offset=torch.tensor([500]))
    assert memory.kept(Squares(), batch, None, torch.device("cpu")) == (500, 2 * 500 * 3 * 4)


def test_a_step_holds_what_is_estimated():
    """The peak that PyTorch reports of a step lies between what is kept and the headroom above it."""
    cfg = memory.read("pointins/pretrain-dos-rooms", 1)
    from pointins_ext.host import build_model

    memory.set_seed(0)
    model = build_model(cfg.model).train()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)  # counted with the parameters
    batch = memory.few_points(cfg, 8000)
    points, kept = memory.kept(model, dict(batch), None, torch.device("cpu"))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        model(dict(batch))["loss"].backward()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert 3000 < points <= 8000
    assert kept < peak < memory.HEADROOM * kept


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("pretrain-dos-ptv3-scannet", dict(points=2 * 65536, bounded=True)),
        ("pretrain-sonata-ptv3-nuscenes", dict(points=round(memory.SWEEP * (2 * 1.0 + 4 * 0.4)), bounded=False)),
        ("semseg-ptv3-scannet", dict(points=102400, bounded=True)),
        ("semseg-ptv3-s3dis", dict(points=memory.SCENE, bounded=False)),
        ("insseg-ptv3-scannet", dict(points=memory.SCENE, bounded=False)),
        ("panseg-ptv3-nuscenes", dict(points=memory.SWEEP, bounded=False)),
    ],
)
def test_points_of_a_scene_are_what_bounds_them_or_usual(name, points):
    cfg = memory.read(f"pointins/{name}", 8)
    assert memory.points_of_a_scene(cfg) == points
    few = memory.few_points(cfg, 4000)
    number = sum(len(few[key]) for key in ("coord", "global_coord", "local_coord") if key in few)
    assert 1000 < number <= 4000


def said(scenes, per_point=8000.0, points=131072, bounded=True):
    need = memory.Need(parameters=83_000_000, fixed=GIB, per_point=per_point, points=points, bounded=bounded)
    return list(memory.lines("some", 96, 96 // scenes, need, scenes, 80))


def test_what_fits_and_what_does_not():
    # 1.3 x 8 kB x 131,072 points = 1.27 GiB a scene, and 2 GiB without any
    assert said(12)[1].startswith("17.2 GiB on each: 1.0 for 83 M parameters, and 15.2 for the points, 8.0 kB each")
    assert said(12)[2] == "A GPU of 80 GiB takes it, and up to 61 scenes"
    assert said(96)[2] == "A GPU of 80 GiB takes 61 scenes: 2 GPUs, or -- batch_size=48 gradient_accumulation_steps=2"
    assert said(96, per_point=1e6)[2].startswith("A GPU of 80 GiB takes not even one scene: lower max_size")
    assert "at most 131,072 points" in said(12)[0]
    assert "usually 131,072 points" in said(12, bounded=False)[0]


def test_the_doctor_says_it():
    found = tool("doctor", "--config", "pointins/pretrain-dos-rooms")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("pointins/pretrain-dos-rooms: 2 scenes a step, 2 on each of 1 GPU, of at most")
    assert len(found.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--config", "pointins/pretrain-dos-room"], "config file pointins/pretrain-dos-room.py not found"),
        (["--config", "pointins/pretrain-dos-rooms", "--gpus", "3"], "batch_size = 2 must be a multiple of the number"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line(flags, line):
    found = tool("doctor", *flags)
    assert found.returncode == 2 and found.stdout == ""
    assert line in found.stderr and len(found.stderr.splitlines()) == 1

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from pointins_ext.embedded.config import Config
from pointins_ext.embedded.scheduler import CosineScheduler, OneCycleLR, build_scheduler
from pointins_ext.errors import UserError

STEPS = 20
ROOT = Path(__file__).parents[2]
CONSTANT = dict(type="OneCycleLR", max_lr=[0.5, 0.1], div_factor=1.0, final_div_factor=1.0)


def learning_rates(make, steps=STEPS):
    optimizer = torch.optim.SGD([dict(params=[torch.zeros(1)]), dict(params=[torch.ones(1)], lr=0.1)], lr=0.5)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


@pytest.mark.parametrize(
    "cfg, reference",
    [
        (
            dict(type="OneCycleLR", max_lr=[0.5, 0.1], pct_start=0.2, div_factor=10.0, final_div_factor=1000.0),
            lambda o: lr_scheduler.OneCycleLR(
                o, [0.5, 0.1], STEPS, pct_start=0.2, div_factor=10.0, final_div_factor=1000.0
            ),
        ),
        (CONSTANT, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ],
)
def test_equal_to_torch(cfg, reference):
    ours = learning_rates(lambda optimizer: build_scheduler(dict(cfg, total_steps=STEPS), optimizer))
    np.testing.assert_allclose(ours, learning_rates(reference), rtol=1e-9)


def test_as_many_max_lr_as_groups():
    with pytest.raises(ValueError, match="OneCycleLR: .*max_lr"):
        learning_rates(lambda o: build_scheduler(dict(type="OneCycleLR", max_lr=[1, 1, 1], total_steps=9), o))


@pytest.mark.parametrize("name", ["MultiStepLR", "PolyLR", "ExpLR", "CosineAnnealingLR", "MultiStepWithWarmupLR"])
def test_pointcepts_other_schedulers_are_named_as_such(name):
    with pytest.raises(UserError, match=f"'{name}' is not in the registry .*: OneCycleLR. .*Pointcept's: install"):
        learning_rates(lambda o: build_scheduler(dict(type=name, total_steps=STEPS), o))


def shipped_schedules():
    """The different schedules of the shipped configs, for a run of any length."""
    configs = [Config.fromfile(path) for path in sorted((ROOT / "configs" / "pointins").rglob("*.py"))]
    found = [cfg.scheduler.to_dict() for cfg in configs if "type" in cfg.get("scheduler", {})]
    return [cfg for i, cfg in enumerate(found) if cfg not in found[:i]]


def test_every_shipped_schedule_trains_runs_of_any_length():
    schedules = shipped_schedules()
    assert {cfg["pct_start"] for cfg in schedules} >= {0.04, 0.05, 0.1}
    for cfg in schedules:
        max_lr = cfg["max_lr"] = [cfg["max_lr"]] * 2 if isinstance(cfg["max_lr"], float) else (cfg["max_lr"] * 2)[:2]
        for steps in range(1, 41):
            rates = learning_rates(lambda o, cfg=cfg, n=steps: build_scheduler(dict(cfg, total_steps=n), o), steps)
            still = np.equal(max_lr, 0)  # what a probe freezes
            assert (rates[:, ~still] > 0).all() and (rates <= np.multiply(max_lr, 1 + 1e-12)).all(), (cfg, steps)


@pytest.mark.parametrize("pct_start", [0.0, 0.04, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("options", [{}, dict(anneal_strategy="linear"), dict(three_phase=True)])
def test_one_cycle_is_torchs_wherever_that_is_defined(pct_start, options):
    defined = 0
    for steps in range(1, 41):
        options = dict(options, max_lr=[0.5, 0.1], total_steps=steps, pct_start=pct_start)
        ours = learning_rates(lambda o, options=options: OneCycleLR(o, **options), steps)
        assert np.isfinite(ours).all()
        try:
            theirs = learning_rates(lambda o, options=options: lr_scheduler.OneCycleLR(o, **options), steps)
        except ZeroDivisionError:
            continue
        assert (ours == theirs).all()
        defined += 1
    assert defined >= 38 or pct_start == 1


def test_a_rise_of_no_length_takes_one_step():
    options = dict(max_lr=0.5, total_steps=10, pct_start=0.1, div_factor=10.0)
    rates = learning_rates(lambda o: OneCycleLR(o, **options), 10)[:, 0]
    assert rates[:2] == pytest.approx([0.05, 0.5]) and (np.diff(rates[1:]) < 0).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 7), st.integers(0, 5), st.integers(1, 30))
def test_cosine_equals_the_concatenated_schedule(start, base, final, warmup, freeze, cosine):
    total = warmup + cosine + freeze
    scheduler = CosineScheduler(base, final, total, start_value=start, warmup_iters=warmup, freeze_iters=freeze)
    phase = np.arange(cosine) / cosine * np.pi
    expected = np.concatenate(
        [
            np.linspace(start, base, warmup),
            final + 0.5 * (base - final) * (1 + np.cos(phase)),
            np.full(freeze + 3, final),
        ]
    )
    np.testing.assert_allclose([scheduler.step() for _ in range(total + 3)], expected, atol=1e-12)
    assert scheduler.iter == total + 3


def test_cosine_resumes_at_iter():
    whole = CosineScheduler(1.0, 0.0, 10, start_value=0.5, warmup_iters=3)
    values = [whole.step() for _ in range(10)]
    resumed = CosineScheduler(1.0, 0.0, 10, start_value=0.5, warmup_iters=3)
    resumed.iter = 6
    assert [resumed.step() for _ in range(4)] == values[6:]

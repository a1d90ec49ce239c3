import os
import signal
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    PairwiseClusteringRegularization,
    SpatialClusteringRegularization,
)
from pointins_ext.branch.pairwise import TARGET_RULE
from pointins_ext.hooks.regularizers import ODRHook, SCRHook
from pointins_ext.host import HOOKS, Config
from tests.fixtures.tiny_pointins import batch, build, dos_config, pointins_config


class Writer:
    def __init__(self):
        self.scalars = []

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, line):
        self.lines.append(line)


class Scans:
    """Rooms with a floor and boxes of 0.4 m; counts how often it is read."""

    def __init__(self, num_scans=5):
        self.num_scans, self.read = num_scans, []

    def __len__(self):
        return self.num_scans

    def get_data(self, index):
        self.read.append(index)
        floor = np.stack(np.meshgrid(np.arange(0, 4, 0.05), np.arange(0, 4, 0.05), [0.0], indexing="ij"), -1)
        edge = np.arange(0, 0.401, 0.04)
        cells = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), -1).reshape(-1, 3)
        boxes = [cells + (0.5 + 1.1 * i, 1.0 + i % 2, 0.15) for i in range(3)]
        return dict(coord=np.concatenate([floor.reshape(-1, 3), *boxes]).astype(np.float32))


class Loader:
    """Four batches an epoch."""

    def __init__(self):
        self.dataset = Scans()

    def __len__(self):
        return 4


@pytest.fixture
def trainer(tmp_path):
    return SimpleNamespace(
        model=build(pointins_config()),
        cfg=Config(dict(save_path=str(tmp_path), seed=3, resume=False)),
        writer=Writer(),
        logger=Logger(),
        train_loader=Loader(),
        max_epoch=10,
    )


def installed(trainer, *hooks):
    for hook in hooks:
        hook.trainer = trainer
        hook.before_train()
    return hooks


# -- ODR ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength, ramp_steps", [(1.0, 4), (0.5, 2), (1.0, 0)])
def test_strength_grows_linearly_after_the_warm_up(trainer, strength, ramp_steps):
    (hook,) = installed(trainer, ODRHook(strength=strength, ramp_steps=ramp_steps))
    trainer.model.warmup_steps, seen = 3, []
    for trainer.model.step in range(9):
        hook.before_step()
        seen.append(hook.odr.strength)
    expected = [strength * (min(1, max(0, s - 2) / ramp_steps) if ramp_steps else 1) for s in range(9)]
    assert seen == pytest.approx(expected)
    assert trainer.writer.scalars == [("params/odr_strength", value, step) for step, value in enumerate(seen)]


def test_the_first_step_is_gentle_by_default_and_literal_in_the_paper_preset(trainer):
    default, paper = installed(trainer, ODRHook(), ODRHook(preset="paper"))
    for hook in (default, paper):
        hook.before_step()
    assert default.odr.strength == 0.01 and paper.odr.strength == 1.0
    assert (paper.odr.direction, paper.odr.scope) == ("cartesian", "view")
    assert trainer.model.teacher_regularizers == [default.odr, paper.odr]


def test_odr_sides_and_options(trainer):
    options = dict(prior="outdoor", side="student", direction="spherical", scope="batch", ramp_steps=0)
    (hook,) = installed(trainer, HOOKS.build(dict(type="ODRHook", **options)))
    assert trainer.model.student_regularizers == [hook.odr] and trainer.model.teacher_regularizers == []
    assert (hook.odr.direction, hook.odr.scope) == ("spherical", "batch")
    assert torch.equal(hook.odr.prior.quantiles, MagnitudePrior.load("outdoor").quantiles)
    assert "built-in 'outdoor', median 1.18" in trainer.logger.lines[0]


def test_a_prior_file_is_used(trainer, tmp_path):
    prior = MagnitudePrior(torch.linspace(0.1, 0.9, 33))
    prior.save(tmp_path / "mine.json")
    (hook,) = installed(trainer, ODRHook(prior=str(tmp_path / "mine.json")))
    torch.testing.assert_close(hook.odr.prior.quantiles, prior.quantiles)


def test_auto_prior_is_fitted_from_the_training_scans(trainer, tmp_path):
    (hook,) = installed(trainer, ODRHook(prior="auto", auto_scans=3))
    assert trainer.train_loader.dataset.read == [0, 2, 4]  # evenly spread
    # offsets in a box of 0.4 m lie between its inside and half its diagonal
    quantile = hook.odr.prior.quantile(torch.tensor([0.01, 0.5, 1.0]))
    assert 0 <= quantile[0] < quantile[1] < quantile[2] and quantile[2] == pytest.approx(0.2 * 3**0.5, abs=0.02)
    saved = MagnitudePrior.load(tmp_path / "prior.json")
    assert torch.equal(saved.quantiles, hook.odr.prior.quantiles)
    assert any("without labels" in line for line in trainer.logger.lines)


def test_a_resumed_run_keeps_its_prior_and_a_new_one_fits_again(trainer, tmp_path):
    MagnitudePrior(torch.linspace(0.1, 0.9, 33)).save(tmp_path / "prior.json")
    trainer.cfg.resume = True
    (hook,) = installed(trainer, ODRHook(prior="auto"))
    assert float(hook.odr.prior.quantiles[-1]) == pytest.approx(0.9) and trainer.train_loader.dataset.read == []
    trainer.cfg.resume = False
    (hook,) = installed(trainer, ODRHook(prior="auto"))
    assert float(hook.odr.prior.quantiles[-1]) < 0.5


def test_scans_without_objects_name_the_built_in_priors(trainer):
    trainer.train_loader.dataset.get_data = lambda index: dict(coord=np.random.rand(500, 3) * [4, 4, 0])
    with pytest.raises(ValueError, match="points lie on plausible objects.*Use a built-in prior"):
        installed(trainer, ODRHook(prior="auto"))


# -- SCR ------------------------------------------------------------------------------------------------------------


def test_the_graph_rule_is_the_default(trainer):
    indoor, outdoor = installed(trainer, SCRHook(), SCRHook(preset="outdoor"))
    assert isinstance(indoor.scr, PairwiseClusteringRegularization) and indoor.scr.rule == TARGET_RULE
    assert indoor.scr.max_length < outdoor.scr.max_length
    assert trainer.model.teacher_regularizers == [indoor.scr, outdoor.scr]
    assert "SCR (pairwise): max_length=1.9, min_points=10, planes=True, rule=GraphRule(" in "\n".join(
        trainer.logger.lines
    )


def test_a_rule_is_changed_in_parts():
    rule = SCRHook(rule=dict(share=0.5, evidence=dict(bias=2))).scr.rule
    assert (rule.share, rule.evidence.bias) == (0.5, 2)
    assert (rule.turn, rule.evidence.affinity) == (TARGET_RULE.turn, TARGET_RULE.evidence.affinity)


def test_presets_of_kmeans(trainer):
    default, paper = installed(trainer, SCRHook(preset="kmeans"), SCRHook(preset="paper"))
    assert (default.scr.feature, default.scr.radius, default.scr.min_points) == ("loss_stage", 0.12, 10)
    assert (paper.scr.feature, paper.scr.radius, paper.scr.min_points) == ("concat", None, 1)
    assert paper.scr.max_length is None and default.scr.max_length > 1
    assert (default.scr.num_clusters, default.late, default.late_step) == (5, dict(num_clusters=2), 0.3 * 40)
    assert (paper.scr.num_clusters, paper.late) == (20, {})
    (outdoor,) = installed(trainer, SCRHook(preset="kmeans_outdoor"))
    assert (outdoor.scr.num_clusters, outdoor.scr.radius, outdoor.late) == (8, 0.4, {})
    said = "\n".join(trainer.logger.lines)
    assert "num_clusters=5, num_neighbours=8, radius=0.12" in said and "SCR from 30% of the steps on" in said


@pytest.mark.parametrize("options", [dict(num_clusters=8), dict(radius=0.1), dict(late=None), dict(cut="kmeans")])
def test_what_only_kmeans_has_chooses_it(options):
    hook = SCRHook(**options)
    assert isinstance(hook.scr, SpatialClusteringRegularization) and hook.scr.max_length == SCRHook().scr.max_length
    assert isinstance(SCRHook(preset="outdoor", **options).scr, SpatialClusteringRegularization)


def test_who_sets_k_sets_it_for_the_whole_run():
    assert SCRHook(num_clusters=8).late == {}
    assert SCRHook(num_clusters=8, late=dict(radius=0.1)).late == dict(num_clusters=2, radius=0.1)


def test_processes_cut_the_scenes_of_a_batch_as_one_does(trainer):
    alone, spread = installed(trainer, SCRHook(processes=1), SCRHook(processes=2))
    assert alone.pool is None and spread.pool is not None
    generator = torch.Generator().manual_seed(0)
    coord, feat = 3 * torch.rand(3000, 3, generator=generator), torch.randn(3000, 8, generator=generator)
    scene = torch.arange(3000) % 3
    inputs = coord, feat, torch.zeros_like(coord), scene, torch.full((3,), 0.16)
    one, two = alone.scr(*inputs), spread.scr(*inputs)
    for name in ("label", "center", "valid", "segment"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    spread.after_train()
    with pytest.raises(RuntimeError, match="after shutdown"):
        spread.scr(*inputs)


def test_a_worker_that_dies_ends_the_training(trainer):
    (hook,) = installed(trainer, SCRHook(processes=2))
    for worker in list(hook.pool._processes):
        os.kill(worker, signal.SIGKILL)
    one = torch.zeros(20, dtype=torch.long)
    with pytest.raises(BrokenProcessPool):
        hook.scr(torch.rand(20, 3), torch.rand(20, 8), torch.zeros(20, 3), one, torch.full((1,), 0.08))


def test_hook_order_is_the_order_of_regularization(trainer):
    scr, odr = installed(trainer, SCRHook(num_clusters=2), ODRHook())
    assert trainer.model.teacher_regularizers == [scr.scr, odr.odr]
    result = trainer.model(batch())
    assert torch.isfinite(result["offset_loss"]) and trainer.model.target_field.instances is not None


def test_every_step_and_seed_cuts_anew_and_repeats(trainer):
    (hook,) = installed(trainer, SCRHook(preset="kmeans"))

    def draws(seed, step):
        trainer.cfg.seed, trainer.model.step = seed, step
        hook.before_step()
        return torch.rand(4, generator=hook.scr.generator).tolist()

    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert draws(1, 5) == draws(1, 5) != draws(1, 6) != draws(2, 6)
    assert draws(None, 5) == draws(0, 5)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("side", ["teacher", "student"])
def test_full_recipe_through_a_step(trainer, side):
    hooks = installed(trainer, ODRHook(side=side), SCRHook(num_clusters=3, side=side, exclude_cut=True))
    for hook in hooks:
        hook.before_step()
    result = trainer.model(batch())
    result["loss"].backward()
    assert all(torch.isfinite(value) for value in result.values())
    kinds = [type(r) for r in getattr(trainer.model, f"{side}_regularizers")]
    assert kinds == [OffsetDistributionRegularization, SpatialClusteringRegularization]


# -- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [ODRHook, SCRHook])
def test_another_model_is_named(trainer, hook):
    trainer.model = build(dos_config())
    with pytest.raises(ValueError, match=f"{hook.__name__} needs model type 'PointINS-v1m1', found 'DOS': wrap"):
        installed(trainer, hook())
    trainer.model = SimpleNamespace(module=build(pointins_config()))  # DDP
    installed(trainer, hook())


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: ODRHook(preset="literal"), ValueError, "'literal' is unknown; expected one of indoor, outdoor, paper"),
        (lambda: SCRHook(cut="graph"), ValueError, "SCRHook cut 'graph' is unknown; expected one of pairwise, kmeans"),
        (lambda: SCRHook(rule=dict(shar=1)), ValueError, "SCRHook rule has no option 'shar'; did you mean 'share'"),
        (lambda: SCRHook(rule=dict(evidence=dict(size=1))), ValueError, "SCRHook rule.evidence has no option 'size'"),
        (lambda: SCRHook(length_cap=1.5), ValueError, "length_cap is gone; give max_length, in meters"),
        (lambda: SCRHook(preset="literal"), ValueError, "SCRHook preset 'literal' is unknown"),
        (lambda: SCRHook(feature="fine"), ValueError, "feature 'fine' is unknown"),
        (lambda: SCRHook(preset="paper", radus=1), ValueError, "SCRHook has no option 'radus'; did you mean 'radius'"),
        (lambda: SCRHook(late=dict(radus=1)), ValueError, "SCRHook late has no option 'radus'; did you mean 'radius'"),
        (lambda: SCRHook(processes=0), ValueError, "SCRHook processes is 0; expected at least 1, or None"),
        (lambda: SCRHook(late=2), ValueError, "SCRHook late is 2; expected a dict of options, or None"),
        (
            lambda: SCRHook(num_clusters="many"),
            ValueError,
            "num_clusters is 'many'; expected a number as its default 5",
        ),
        (lambda: SCRHook(side="techer"), ValueError, "SCRHook side 'techer' is unknown; expected one of teacher"),
        (lambda: ODRHook(strenght=1), ValueError, "ODRHook has no option 'strenght'; did you mean 'strength'"),
        (lambda: ODRHook(color=1), ValueError, "ODRHook has no option 'color'; known are"),
        (lambda: ODRHook(direction="polar"), ValueError, "ODR direction 'polar' is unknown"),
        (
            lambda: HOOKS.build(dict(type="ODRHook", ramp_step=1)),
            ValueError,
            "ODRHook has no option 'ramp_step'; did you mean",
        ),
    ],
)
def test_unusable_options_are_named_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_unusable_priors_are_named_before_the_first_step(trainer):
    with pytest.raises(FileNotFoundError, match="prior 'idnoor' is neither a file nor built in"):
        installed(trainer, ODRHook(prior="idnoor"))


def test_scr_changes_its_options_late(trainer):
    (hook,) = installed(trainer, SCRHook(late=dict(num_clusters=1, radius=0.08), late_start=0.5))
    seen = {}
    for step in (0, 19, 20, 39):
        trainer.model.step = step
        hook.before_step()
        seen[step] = (hook.scr.num_clusters, hook.scr.radius)
    assert seen == {0: (5, 0.12), 19: (5, 0.12), 20: (1, 0.08), 39: (1, 0.08)}
    assert SCRHook(late=dict(radius=0.08)).late == dict(num_clusters=2, radius=0.08)  # over the preset's
    assert SCRHook(late=None).late == SCRHook(preset="kmeans_outdoor").late == {}
    with pytest.raises(ValueError, match="num_clusters is 0"):
        SCRHook(late=dict(num_clusters=0))

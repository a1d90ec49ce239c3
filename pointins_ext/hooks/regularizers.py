"""ODRHook and SCRHook: install the branch's regularizers in the model, in the order of the config's hook list."""

import inspect
import os
from pathlib import Path

import numpy as np
import torch

from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, SpatialClusteringRegularization
from pointins_ext.errors import UserError
from pointins_ext.hooks import presets
from pointins_ext.hooks.common import pointins_model
from pointins_ext.host import HOOKS, HookBase, comm
from pointins_ext.instances import fit_label_free

SIDES = ("teacher", "student")
CLUSTERING = {
    name: parameter.default
    for name, parameter in inspect.signature(SpatialClusteringRegularization).parameters.items()
    if name != "generator"
}


@HOOKS.register_module()
class ODRHook(HookBase):
    """Offset distribution regularization on the teacher's offsets (`side="student"`: the paper's layout ablation).

    What is not given comes from `presets.ODR[preset]`: "indoor", "outdoor", or "paper", the literal method. `prior`:
    "indoor", "outdoor", a file of `pointins prior`, or "auto" = fitted without labels from `auto_scans` training
    scans by `auto_method` ("components" or "hdbscan") before the first step. `ramp_steps`: the strength grows linearly
    from 0 over this many steps once the offset loss is on, because ranks blow an untrained head's noise up to full
    length. Other options: see OffsetDistributionRegularization. Raises ValueError if an option is unknown.
    """

    def __init__(
        self,
        side="teacher",
        preset="indoor",
        auto_scans=64,
        auto_method="components",
        auto_radius=0.08,
        **options,
    ):
        options = presets.with_preset("ODRHook", presets.ODR, preset, options)
        self.side = _checked_side("ODRHook", side)
        self.auto_scans = auto_scans
        self.auto_options = dict(method=auto_method, radius=auto_radius)
        self.prior = options.pop("prior")
        self.ramp_steps = options.pop("ramp_steps")
        self.strength = options["strength"]
        self.options = options
        OffsetDistributionRegularization("indoor", **options)  # says now what would be wrong later

    def before_train(self):
        prior = self._fitted() if self.prior == "auto" else MagnitudePrior.load(self.prior)
        self.trainer.logger.info(
            f"ODR prior: {prior.source}, median {prior.quantiles[len(prior.quantiles) // 2]:.3f} m, "
            f"99 % below {float(prior.quantile(torch.tensor(0.99))):.3f} m"
        )
        self.odr = OffsetDistributionRegularization(prior, **self.options)
        self.model = pointins_model(self.trainer, "ODRHook")
        self.model.add_regularizer(self.odr, self.side)

    def before_step(self):
        steps_on = self.model.step - self.model.warmup_steps + 1
        ramp = min(1.0, max(0.0, steps_on / self.ramp_steps)) if self.ramp_steps else 1.0
        self.odr.strength = self.strength * ramp
        if self.trainer.writer is not None:
            self.trainer.writer.add_scalar("params/odr_strength", self.odr.strength, self.model.step)

    def _fitted(self) -> MagnitudePrior:
        path = Path(self.trainer.cfg.save_path) / "prior.json"
        if comm.is_main_process() and not (self.trainer.cfg.get("resume") and path.is_file()):
            dataset = self.trainer.train_loader.dataset
            self.trainer.logger.info(
                f"Fitting the offset prior from {min(self.auto_scans, len(dataset))} scans, without labels"
            )
            source = f"label-free ({self.auto_options['method']}) from {type(dataset).__name__}"
            prior = fit_label_free(_coords(dataset, self.auto_scans), source, **self.auto_options)
            prior.save(path)
        comm.synchronize()
        return MagnitudePrior.load(os.fspath(path))


@HOOKS.register_module()
class SCRHook(HookBase):
    """Spatial clustering regularization on the teacher's offsets, with a fresh k-means seed every step.

    What is not given comes from `presets.SCR[preset]`: "indoor", "outdoor", or "paper", the literal method.
    `length_cap`: targets longer than this multiple of the prior's 99.9 % quantile are dropped (None: no target is); the
    prior is that of an ODRHook before it, else `prior`. `late`: options that replace others once the share
    `late_start` of all steps is done, on top of the preset's `late` (None: nothing changes, which is also the default
    if `num_clusters` is given): segments can only split what shifted points have joined, and learned offsets need
    them less than untrained ones. Other options: see SpatialClusteringRegularization. Raises ValueError if an option
    is unknown.
    """

    def __init__(self, side="teacher", preset="indoor", **options):
        if "num_clusters" in options:
            options.setdefault("late", None)
        options = presets.with_preset("SCRHook", presets.SCR, preset, options, CLUSTERING)
        self.side = _checked_side("SCRHook", side)
        self.prior = options.pop("prior")
        self.length_cap = options.pop("length_cap")
        self.late_start = options.pop("late_start")
        self.late = _late_options(options.pop("late"), presets.SCR[preset]["late"])
        self.scr = SpatialClusteringRegularization(**options)
        SpatialClusteringRegularization(**{**options, **self.late})  # says now what would be wrong later

    def before_train(self):
        self.model = pointins_model(self.trainer, "SCRHook")
        if self.length_cap is not None:
            self.scr.max_length = self.length_cap * float(self._prior().quantile(torch.tensor(0.999)))
        self.scr.generator = torch.Generator(device=next(self.model.parameters()).device)
        self.model.add_regularizer(self.scr, self.side)
        self.trainer.logger.info(f"SCR: {_listed({name: getattr(self.scr, name) for name in CLUSTERING})}")
        if self.late:
            self.late_step = self.late_start * self.trainer.max_epoch * len(self.trainer.train_loader)
            self.trainer.logger.info(f"SCR from {self.late_start:.0%} of the steps on: {_listed(self.late)}")

    def before_step(self):
        if self.late and self.model.step >= self.late_step:
            for name, value in self.late.items():
                setattr(self.scr, name, value)
        # cuts differ from step to step and the network averages them; own generator: the host's stream stays as it is
        self.scr.generator.manual_seed(hash((self.trainer.cfg.get("seed") or 0, comm.get_rank(), self.model.step)))

    def _prior(self) -> MagnitudePrior:
        installed = self.model.teacher_regularizers + self.model.student_regularizers
        priors = [r.prior for r in installed if isinstance(r, OffsetDistributionRegularization)]
        return priors[0] if priors else MagnitudePrior.load(self.prior)


def _checked_side(hook: str, side: str) -> str:
    if side not in SIDES:
        raise UserError(f"{hook} side '{side}' is unknown; expected one of {', '.join(SIDES)}")
    return side


def _late_options(late: dict | None, of_preset: dict | None) -> dict:
    if late is None:
        return {}
    if not isinstance(late, dict):
        raise UserError(f"SCRHook late is {late!r}; expected a dict of options, or None")
    presets.require_known("SCRHook late", late, CLUSTERING)
    return {**(of_preset or {}), **late}


def _listed(options: dict) -> str:
    return ", ".join(f"{name}={options[name]!r}" for name in sorted(options))


def _coords(dataset, count: int):
    """Coordinates of up to `count` scans, evenly spread over the dataset, thinned to one point per 4 cm."""
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)):
        coord = dataset.get_data(int(index))["coord"]
        _, first = np.unique(np.floor(coord / 0.04).astype(np.int64), axis=0, return_index=True)
        yield torch.from_numpy(coord[first]).float()

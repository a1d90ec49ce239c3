"""ODRHook and SCRHook: install the branch's regularizers in the model, in the order of the config's hook list."""

import dataclasses
import inspect
import os
from pathlib import Path

import numpy as np
import torch

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    PairwiseClusteringRegularization,
    SpatialClusteringRegularization,
)
from pointins_ext.branch.pairwise import TARGET_RULE
from pointins_ext.errors import UserError
from pointins_ext.hooks import presets
from pointins_ext.hooks.common import pointins_model
from pointins_ext.hooks.scene_pool import fitting_processes, scene_pool
from pointins_ext.host import HOOKS, HookBase, comm
from pointins_ext.instances import fit_label_free

SIDES = ("teacher", "student")
CUTS = dict(pairwise=PairwiseClusteringRegularization, kmeans=SpatialClusteringRegularization)


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
    """Spatial clustering regularization on the teacher's offsets.

    What is not given comes from `presets.SCR[preset]`: "indoor" and "outdoor" take the graph rule (`cut="pairwise"`),
    "kmeans" and "kmeans_outdoor" the best settings of K-means segments, "paper" the literal method. Further options as
    PairwiseClusteringRegularization, with `rule` a dict of what differs from its TARGET_RULE, or, where `cut` is
    "kmeans", as SpatialClusteringRegularization, which gets a fresh seed every step. Options that only K-means has, as
    `num_clusters`, choose it, so that older configs keep their meaning. `late`, with K-means: options that hold once
    the share `late_start` of all steps is done, over those of the preset's `late` (None: nothing changes, as where
    `num_clusters` is given without it): segments can only split what shifted points have joined, and learned offsets
    need them less than untrained ones. `processes` cut the scenes of a batch by the graph rule side by side (None: one
    on a CPU, on a GPU as many as it has cores). Raises ValueError for an option that there is not.
    """

    def __init__(self, side="teacher", preset="indoor", processes=None, **options):
        if processes is not None and processes < 1:
            raise UserError(f"SCRHook processes is {processes}; expected at least 1, or None for as many as fit")
        self.processes = processes
        if "num_clusters" in options:
            options.setdefault("late", None)
        preset = _preset_of(preset, options)
        self.cut = options.get("cut", presets.SCR.get(preset, {}).get("cut", "pairwise"))
        options = presets.with_preset("SCRHook", presets.SCR, preset, options, _defaults(self.cut))
        options.pop("cut")
        self.side = _checked_side("SCRHook", side)
        self.late_start = options.pop("late_start", None)
        self.late = _late_options(options.pop("late", None), presets.SCR[preset].get("late"))
        if "rule" in options:
            options["rule"] = _rule(options["rule"])
        self.options = options
        self.scr = CUTS[self.cut](**options)
        self.pool = None
        CUTS[self.cut](**{**options, **self.late})  # says now what would be wrong later

    def before_train(self):
        self.model = pointins_model(self.trainer, "SCRHook")
        device = next(self.model.parameters()).device
        if self.cut == "kmeans":
            self.scr.generator = torch.Generator(device=device)
        self.spread_scenes(device, self.trainer.cfg.get("batch_size_per_gpu") or 1)
        self.model.add_regularizer(self.scr, self.side)
        self.trainer.logger.info(f"SCR ({self.cut}): {_listed({**_defaults(self.cut), **self.options})}")
        if self.late:
            self.late_step = self.late_start * self.trainer.max_epoch * len(self.trainer.train_loader)
            self.trainer.logger.info(f"SCR from {self.late_start:.0%} of the steps on: {_listed(self.late)}")

    def after_train(self):
        if self.pool is not None:
            self.pool.shutdown()

    def spread_scenes(self, device: torch.device, num_scenes: int) -> None:
        """Processes for `num_scenes` a step, until `after_train`, where the graph rule goes scene by scene."""
        if self.cut == "kmeans":
            return
        processes = self.processes or fitting_processes(device, num_scenes, comm.get_world_size())
        if processes > 1:
            self.pool = scene_pool(processes)
            self.scr.map = self.pool.map

    def before_step(self):
        if self.late and self.model.step >= self.late_step:
            for name, value in self.late.items():
                setattr(self.scr, name, value)
        if self.cut == "kmeans":
            # cuts differ from step to step and the network averages them; own generator: the host's stream stays
            self.scr.generator.manual_seed(hash((self.trainer.cfg.get("seed") or 0, comm.get_rank(), self.model.step)))


def _checked_side(hook: str, side: str) -> str:
    if side not in SIDES:
        raise UserError(f"{hook} side '{side}' is unknown; expected one of {', '.join(SIDES)}")
    return side


def _defaults(cut: str) -> dict:
    """Options of a form of SCR with the defaults of its class."""
    if cut not in CUTS:
        raise UserError(f"SCRHook cut '{cut}' is unknown; expected one of {', '.join(CUTS)}")
    parameters = inspect.signature(CUTS[cut]).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name != "generator"}


def _preset_of(preset: str, options: dict) -> str:
    """The preset of K-means in the place of one of the graph rule, where an option asks for K-means."""
    if "length_cap" in options:
        raise UserError("SCRHook length_cap is gone; give max_length, in meters, instead (None: no cap)")
    kmeans = {*presets.SCR["kmeans"], *_defaults("kmeans")} - {*presets.SCR["indoor"], *_defaults("pairwise")}
    if options.get("cut") == "kmeans" or ("cut" not in options and kmeans & {*options}):
        return presets.KMEANS.get(preset, preset)
    return preset


def _rule(changes):
    """TARGET_RULE with other values: a dict, whose `evidence` is one, too."""
    if not isinstance(changes, dict):
        return changes
    known = {field.name: getattr(TARGET_RULE, field.name) for field in dataclasses.fields(TARGET_RULE)}
    presets.require_known("SCRHook rule", changes, known)
    evidence = changes.get("evidence", {})
    presets.require_known("SCRHook rule.evidence", evidence, dataclasses.asdict(TARGET_RULE.evidence))
    evidence = dataclasses.replace(TARGET_RULE.evidence, **evidence)
    return dataclasses.replace(TARGET_RULE, **{**changes, "evidence": evidence})


def _late_options(late: dict | None, of_preset: dict | None) -> dict:
    if late is None:
        return {}
    if not isinstance(late, dict):
        raise UserError(f"SCRHook late is {late!r}; expected a dict of options, or None")
    presets.require_known("SCRHook late", late, _defaults("kmeans"))
    return {**(of_preset or {}), **late}


def _listed(options: dict) -> str:
    return ", ".join(f"{name}={options[name]!r}" for name in sorted(options))


def _coords(dataset, count: int):
    """Coordinates of up to `count` scans, evenly spread over the dataset, thinned to one point per 4 cm."""
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)):
        coord = dataset.get_data(int(index))["coord"]
        _, first = np.unique(np.floor(coord / 0.04).astype(np.int64), axis=0, return_index=True)
        yield torch.from_numpy(coord[first]).float()

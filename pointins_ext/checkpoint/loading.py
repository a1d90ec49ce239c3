"""What a hook does with `cfg.weight`: start from its weights, or resume the run that wrote it."""

import math
from collections.abc import Mapping

from pointins_ext.checkpoint.files import read_checkpoint
from pointins_ext.checkpoint.names import load_weight, rename
from pointins_ext.checkpoint.published import for_every_backbone, width_overrides
from pointins_ext.errors import UserError


class WeightLoading:
    """Hook of either host: loads `cfg.weight`, on CPU or GPU; with `cfg.resume` also the training state.

    A backbone alone, as Sonata, Concerto and others publish theirs, goes into every backbone of the model: student and
    teacher of a pretrainer. All else starts from scratch then, and none of the options below is needed.

    keywords, replacement: part of a tensor's name to replace, both with "module." in front as Pointcept writes them;
    a resumed run has its own names. strict: every name must match. min_match: share of the model's backbone that must.
    FileNotFoundError, or ValueError of `read_checkpoint` and `match_weight`.
    """

    def __init__(self, keywords="", replacement=None, strict=False, min_match=0.9):
        if not 0 <= min_match <= 1:
            raise UserError(f"min_match is a share of the backbone's tensors, 0 to 1; found {min_match}")
        self.rules = dict(
            keywords=keywords,
            replacement=keywords if replacement is None else replacement,
            strict=strict,
            min_match=min_match,
        )

    def before_train(self):
        cfg, logger = self.trainer.cfg, self.trainer.logger
        if not cfg.weight:
            logger.info("No weight given: training starts from scratch")
            return
        checkpoint = read_checkpoint(cfg.weight)
        state_dict, rules, remark = self._plan(checkpoint["state_dict"])
        match = self._load(checkpoint, state_dict, rules)
        total = len(match.matched) + len(match.missing)
        logger.info(
            f"Loaded {cfg.weight}: {len(match.matched)} of the model's {total} tensors, {match.backbone}{remark}"
        )
        for label, names in (("Missing", match.missing), ("Unexpected", match.unexpected)):
            if names:
                logger.info(f"{label} keys ({len(names)}): {', '.join(names[:5])}{', ...' if names[5:] else ''}")
        if cfg.resume:
            self._resume(checkpoint)

    def _plan(self, state_dict):
        """Tensors to load, the rules for it, and what there is to say of them."""
        if self.trainer.cfg.resume:
            return state_dict, dict(strict=True), ""
        state_dict, backbones = for_every_backbone(state_dict, rename(self.trainer.model.state_dict(), "", ""))
        if backbones:
            remark = f"; a backbone alone, taken for {' and '.join(backbones)}; all else starts from scratch"
            return state_dict, {**self.rules, "keywords": "", "replacement": ""}, remark
        network = probed_network(self.rules["keywords"])
        return state_dict, self.rules, f"; probing the {network}'s backbone" if network else ""

    def _load(self, checkpoint, state_dict, rules):
        cfg = self.trainer.cfg
        try:
            return load_weight(self.trainer.model, state_dict, cfg.weight, **rules)
        except UserError as error:
            told, model = checkpoint.get("config"), cfg.get("model")
            flags = width_overrides(told, model) if isinstance(told, Mapping) and model else ""
            if not flags:
                raise
            raise UserError(f"{error}. What the file says of itself fits with the overrides {flags}") from error

    def _resume(self, checkpoint):
        trainer = self.trainer
        needed = {"epoch", "optimizer", "scheduler"}
        if not needed <= checkpoint.keys():
            raise UserError(
                f"cannot resume from {trainer.cfg.weight}: it lacks {sorted(needed - checkpoint.keys())}; use "
                "resume=False to start from its weights"
            )
        if hasattr(trainer, "resume"):  # knows more than every trainer has
            trainer.resume(checkpoint)
        else:
            restore(trainer, checkpoint)
        trainer.logger.info(f"Resuming at epoch {checkpoint['epoch'] + 1} of {trainer.max_epoch}")


def probed_network(keywords):
    """The network of a pretraining checkpoint that `keywords` pick, "student" or "teacher"; None for neither."""
    return next((name for name in ("student", "teacher") if name in keywords.split(".")), None)


def restore(trainer, checkpoint):
    """Epoch, best metric, optimizer, scheduler and scaler of a checkpoint into a trainer of either host.

    ValueError where the number of steps or the parameter groups changed.
    """
    weight, wanted = trainer.cfg.weight, trainer.cfg.scheduler.get("total_steps")
    planned = checkpoint["scheduler"].get("total_steps")
    if planned not in (None, wanted):
        raise UserError(
            f"cannot resume {weight}: its schedule has {planned} steps and this config {wanted}; keep epoch, "
            "eval_epoch, batch_size and the data, or start anew with weight= and resume=False"
        )
    try:
        trainer.optimizer.load_state_dict(checkpoint["optimizer"])
    except ValueError as error:
        raise UserError(f"cannot resume {weight}: {error}; keep optimizer and param_dicts of the run") from error
    trainer.scheduler.load_state_dict(checkpoint["scheduler"])
    if trainer.scaler is not None and checkpoint.get("scaler"):
        trainer.scaler.load_state_dict(checkpoint["scaler"])
    trainer.start_epoch = checkpoint["epoch"]
    trainer.best_metric_value = float(checkpoint.get("best_metric_value", -math.inf))

"""Optimizers of the config language and their parameter groups."""

import torch

from pointins_ext.embedded.logger import get_root_logger
from pointins_ext.embedded.registry import OPTIMIZERS
from pointins_ext.errors import UserError

for _optimizer in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD):
    OPTIMIZERS.register_module(module=_optimizer)


def build_optimizer(cfg, model, param_dicts=None):
    """Optimizer `cfg` over the trainable parameters of `model`.

    `param_dicts` = [dict(keyword="block", lr=...)]: group 0 takes the parameters no keyword matches, group i + 1 those
    whose name contains keyword i (first match wins) with its own lr, weight_decay, ... Groups may be empty, so that
    `max_lr` lists of schedulers keep their length. ValueError when nothing is trainable.
    """
    param_dicts = param_dicts or []
    groups = [dict(params=[])] + [
        dict({key: value for key, value in group.items() if key != "keyword"}, params=[]) for group in param_dicts
    ]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[_group_of(name, param_dicts)]["params"].append(parameter)
    if not any(group["params"] for group in groups):
        raise UserError("the model has no trainable parameter: every requires_grad is False")
    logger = get_root_logger()
    for i, group in enumerate(groups):
        keyword = repr(param_dicts[i - 1]["keyword"]) if i else "none"
        lr = group.get("lr", cfg.get("lr"))
        logger.info(f"Params group {i}: keyword {keyword}, {len(group['params'])} tensors, lr {lr}")
        if i and not group["params"]:
            logger.warning(f"param_dicts: no trainable parameter name contains {keyword}")
    return OPTIMIZERS.build(cfg, default_args=dict(params=groups))


def _group_of(name, param_dicts):
    return next((i + 1 for i, group in enumerate(param_dicts) if group["keyword"] in name), 0)

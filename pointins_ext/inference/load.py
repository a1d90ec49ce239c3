"""A predictor from a checkpoint of either host."""

import os
from pathlib import Path

import torch

from pointins_ext.checkpoint import load_weight, read_checkpoint, read_dumped_config
from pointins_ext.errors import UserError
from pointins_ext.host import Config, build_model
from pointins_ext.host.flash import disable_flash, has_flash
from pointins_ext.inference.predictor import Predictor


def load_predictor(
    weight: str | os.PathLike,
    network: str = "teacher",
    device=None,
    grid_size: float | None = None,
    config: str | os.PathLike | None = None,
) -> Predictor:
    """Predictor from a pretraining checkpoint of either host, or from "indoor" or "outdoor", which the package ships.

    `network`: "teacher" or "student"; `grid_size`: voxel of the scans, meters; coordinates are scaled so that it
    becomes the network's; `config`: see `experiment_config`. Raises FileNotFoundError or ValueError if the
    checkpoint is missing, broken or foreign.
    """
    checkpoint = read_checkpoint(weight)
    require_pretraining(checkpoint["state_dict"], weight)
    return pretrained_predictor(checkpoint, weight, network, device, grid_size, config)


def load_backbone(
    weight: str | os.PathLike, network: str = "teacher", device=None, config: str | os.PathLike | None = None
) -> torch.nn.Module:
    """The pretrained backbone alone, as the host builds it, in evaluation mode; arguments as of `load_predictor`."""
    return load_predictor(weight, network, device, config=config).networks.backbone


def pretrained_predictor(checkpoint: dict, weight, network, device, grid_size, config) -> Predictor:
    """`load_predictor` of what `read_checkpoint` has read, known to be of a pretraining."""
    state = checkpoint["state_dict"]
    cfg = experiment_config(checkpoint, weight, config)
    device = best_device(device)
    networks = getattr(build_network(cfg, state, weight, device), network).to(device).eval()
    predictor = Predictor.from_config(networks, cfg)
    if grid_size is not None:
        predictor.scale, predictor.voxel_given = predictor.grid_size / grid_size, True
    return predictor


def require_pretraining(state: dict, weight: str | os.PathLike) -> None:
    """ValueError where tensors by name, of the file `weight`, are not those of a pretraining with the branch."""
    if not is_pretraining(state):
        raise UserError(
            f"{weight}: not a PointINS pretraining checkpoint: its {len(state)} tensors, like {next(iter(state))!r}, "
            "have no teacher.offset_head; one that was trained on labels is for `pointins segment`"
        )


def is_pretraining(state: dict) -> bool:
    """Whether tensors by name are those of a pretraining with the branch."""
    return any(key.removeprefix("module.").startswith("teacher.offset_head") for key in state)


def best_device(device=None) -> torch.device:
    """The device that is asked for, or the GPU where there is one."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def build_network(cfg: Config, state: dict, weight: str | os.PathLike, device: torch.device) -> torch.nn.Module:
    """cfg.model with the tensors `state` of the file `weight`, every one of them; fit for `device`, not moved there."""
    if not has_flash(device):
        disable_flash(cfg.model)
    model = build_model(cfg.model)
    load_weight(model, state, weight, strict=True)
    return model


def experiment_config(checkpoint: dict, weight: str | os.PathLike, config: str | os.PathLike | None = None) -> Config:
    """Config of the run that wrote the file `weight`: the file `config`, or what the checkpoint carries.

    Pointcept's checkpoints carry none: then config.py of the experiment's folder, two above exp/x/model/model_last.pth.
    Only `config` is run as the Python that it is; what is found beside a checkpoint is read as data.
    Raises FileNotFoundError if there is none, ValueError if it has no model, or has code and is not `config`.
    """
    source = Path(config or Path(weight).absolute().parent.parent / "config.py")
    if config is None and "config" in checkpoint:
        source, tree = Path(weight), checkpoint["config"]
        cfg = Config(tree if isinstance(tree, dict) else {})
    elif not source.is_file():
        why = "" if config else f"{weight} carries no config; "
        raise FileNotFoundError(f"{why}{source} not found; give the config.py of the run as config=FILE (--config)")
    else:
        cfg = Config.fromfile(os.fspath(source)) if config else Config(read_dumped_config(source))
    if "model" not in cfg:
        raise UserError(f"config of {source}: expected the key 'model', found {', '.join(map(str, cfg)) or 'no key'}")
    return cfg

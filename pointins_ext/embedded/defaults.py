"""What every run starts with: command line, run-time keys, batch sizes, seeds."""

import argparse
import os

from torch.nn.parallel import DistributedDataParallel

from pointins_ext.embedded import comm
from pointins_ext.embedded.config import Config, DictAction
from pointins_ext.embedded.config_file import import_modules
from pointins_ext.embedded.env import get_random_seed, set_seed

RUNTIME = dict(
    weight=None,  # path of a checkpoint
    resume=False,  # also restore epoch, optimizer, random state, ...
    evaluate=False,  # data.val and an evaluator hook after every epoch
    seed=None,  # None: drawn at the start and recorded
    save_path="exp/default",
    num_worker=4,  # of all processes together
    batch_size=4,  # of all processes together
    batch_size_val=None,  # None: 1 per process
    epoch=100,  # the data is looped epoch // eval_epoch times
    eval_epoch=None,  # checkpoints and evaluations; None: epoch
    gradient_accumulation_steps=1,
    clip_grad=None,
    sync_bn=False,
    enable_amp=False,
    amp_dtype="float16",
    skip_nonfinite=False,  # leave out batches whose loss is NaN or infinite, instead of stopping
    empty_cache=False,
    find_unused_parameters=False,
    mix_prob=0,
    param_dicts=None,
    hooks=[
        dict(type="CheckpointLoader"),
        dict(type="ModelHook"),
        dict(type="IterationTimer"),
        dict(type="InformationWriter"),
        dict(type="CheckpointSaver"),
    ],
    train=dict(type="DefaultTrainer"),
)


def default_argument_parser(epilog=None):
    """Command line of a run, as Pointcept's."""
    parser = argparse.ArgumentParser(epilog=epilog, allow_abbrev=False)
    parser.add_argument("--config-file", required=True, metavar="FILE", help="config file")
    parser.add_argument("--num-gpus", type=int, default=1, help="processes on this machine")
    parser.add_argument("--num-machines", type=int, default=1)
    parser.add_argument("--machine-rank", type=int, default=0, help="index of this machine")
    parser.add_argument("--dist-url", default="auto", help="address of machine 0, tcp://HOST:PORT")
    parser.add_argument("--options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config overrides")
    return parser


def default_config_parser(file_path, options):
    """Config of a run from its file and `--options`; writes save_path/config.py unless it resumes."""
    cfg = Config.fromfile(file_path, options, defaults=RUNTIME)
    if cfg.seed is None:
        cfg.seed = get_random_seed()
    cfg.eval_epoch = cfg.eval_epoch or cfg.epoch
    if cfg.epoch % cfg.eval_epoch:
        raise ValueError(f"{file_path}: epoch = {cfg.epoch} must be a multiple of eval_epoch = {cfg.eval_epoch}")
    if "train" not in cfg.get("data", {}):
        raise KeyError(f"{file_path}: data = dict(train=dict(type=...)) is missing")
    cfg.data.train.loop = cfg.epoch // cfg.eval_epoch
    if cfg.resume and not cfg.weight:
        cfg.weight = os.path.join(cfg.save_path, "model", "model_last.pth")
    os.makedirs(os.path.join(cfg.save_path, "model"), exist_ok=True)
    if not cfg.resume and os.environ.get("RANK", "0") == "0":
        cfg.dump(os.path.join(cfg.save_path, "config.py"))
    return cfg


def default_setup(cfg):
    """Share batch and workers among the processes and seed this one, after its custom imports."""
    import_modules(cfg.get("custom_imports"), cfg.filename)  # a spawned process did not read the file
    world_size = comm.get_world_size()
    cfg.seed = comm.all_gather(cfg.seed)[0]
    for key in ("batch_size", "batch_size_val"):
        total = cfg[key]
        if total is not None and (total < world_size or total % world_size):
            raise ValueError(f"{key} = {total} must be a multiple of the number of processes, {world_size}")
        cfg[f"{key}_per_gpu"] = 1 if total is None else total // world_size
    cfg.num_worker_per_gpu = (os.cpu_count() if cfg.num_worker is None else cfg.num_worker) // world_size
    set_seed(cfg.seed + comm.get_rank() * max(cfg.num_worker_per_gpu, 1))
    return cfg


def create_ddp_model(model, device, **kwargs):
    """`model` in DistributedDataParallel when the run has several processes."""
    if comm.get_world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None, **kwargs)

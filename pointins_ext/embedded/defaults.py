"""What every run starts with: command line, run-time keys, batch sizes, seeds."""

import argparse
import os

from pointins_ext.embedded.config import Config, DictAction
from pointins_ext.embedded.config_file import import_modules
from pointins_ext.embedded.env import get_random_seed, set_seed
from pointins_ext.embedded.logger import get_root_logger
from pointins_ext.engine import comm
from pointins_ext.errors import UserError, UserKeyError
from pointins_ext.files import require_output_folder
from pointins_ext.flags import at_least

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
    eval_epoch=None,  # checkpoints and evaluations; None: see default_eval_epoch
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

EVAL_EPOCH = 100  # of Pointcept's default_runtime.py

SHARED = ("batch_size", "batch_size_val")
# lowest value of the run-time keys that count something
LOWEST = dict(
    epoch=1, eval_epoch=1, batch_size=1, batch_size_val=1, gradient_accumulation_steps=1, num_worker=0, seed=-(2**63)
)


def default_argument_parser(epilog=None):
    """Command line of a run, as Pointcept's."""
    parser = argparse.ArgumentParser(epilog=epilog, allow_abbrev=False)
    parser.add_argument("--config-file", required=True, metavar="FILE", help="config file")
    parser.add_argument("--num-gpus", type=at_least(0), default=1, help="processes on this machine")
    parser.add_argument("--num-machines", type=at_least(1), default=1)
    parser.add_argument("--machine-rank", type=at_least(0), default=0, help="index of this machine")
    parser.add_argument("--dist-url", default="auto", help="address of machine 0, tcp://HOST:PORT")
    parser.add_argument("--options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config overrides")
    return parser


def default_config_parser(file_path, options):
    """Config of a run from its file and `--options`; the trainer writes it to save_path/config.py.

    ValueError for run-time keys that make no sense, and for a save_path that cannot be written to.
    """
    cfg = Config.fromfile(file_path, options, defaults=RUNTIME)
    if cfg.seed is None:
        cfg.seed = get_random_seed()
    if cfg.eval_epoch is None:
        cfg.eval_epoch = default_eval_epoch(cfg.epoch, file_path)
    check_runtime(cfg, file_path)
    cfg.data.train.loop = cfg.epoch // cfg.eval_epoch
    if cfg.resume and not cfg.weight:
        cfg.weight = os.path.join(cfg.save_path, "model", "model_last.pth")
    return cfg


def default_eval_epoch(epoch, source):
    """How often a run without `eval_epoch` evaluates: Pointcept's 100 times, a short run after every epoch; logged."""
    found = min(epoch, EVAL_EPOCH) if isinstance(epoch, int) else EVAL_EPOCH
    get_root_logger().info(f"{source}: no eval_epoch, so eval_epoch = {found} of epoch = {epoch}")
    return found


def check_runtime(cfg, source):
    """ValueError or KeyError that names `source` and the first of the run-time keys whose value makes no sense."""
    for key, low in LOWEST.items():
        value = cfg[key]
        if value is None and key in ("num_worker", "batch_size_val"):
            continue
        if type(value) is not int or value < low:
            raise UserError(f"{source}: {key} = {value!r}, expected a whole number of at least {low}")
    clip_grad = cfg["clip_grad"]
    if clip_grad is not None and not (isinstance(clip_grad, (int, float)) and clip_grad > 0):
        raise UserError(f"{source}: clip_grad = {clip_grad!r}, expected a number above 0, or None")
    for key, kind in dict(data=dict, hooks=list).items():
        if key in cfg and not isinstance(cfg[key], kind):
            raise UserError(f"{source}: {key} = {cfg[key]!r}, expected a {kind.__name__}")
    if cfg["epoch"] % cfg["eval_epoch"]:
        raise UserError(f"{source}: epoch = {cfg['epoch']} must be a multiple of eval_epoch = {cfg['eval_epoch']}")
    if not isinstance(cfg.get("data", {}).get("train"), dict):
        raise UserKeyError(f"{source}: data = dict(train=dict(type=...)) is missing")
    require_output_folder(cfg["save_path"])


def check_shares(cfg, world_size):
    """ValueError for a batch size that cannot be shared among `world_size` processes."""
    for key in SHARED:
        total = cfg.get(key)
        if total is not None and (total < world_size or total % world_size):
            raise UserError(f"{key} = {total} must be a multiple of the number of processes, {world_size}")


def default_setup(cfg):
    """Share batch and workers among the processes and seed this one, after its custom imports."""
    import_modules(cfg.get("custom_imports"), cfg.filename)  # a spawned process did not read the file
    world_size = comm.get_world_size()
    cfg.seed = comm.all_gather(cfg.seed)[0]
    check_shares(cfg, world_size)
    for key in SHARED:
        cfg[f"{key}_per_gpu"] = 1 if cfg[key] is None else cfg[key] // world_size
    cfg.num_worker_per_gpu = (os.cpu_count() if cfg.num_worker is None else cfg.num_worker) // world_size
    set_seed(cfg.seed + comm.get_rank() * max(cfg.num_worker_per_gpu, 1))
    return cfg

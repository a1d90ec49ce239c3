"""What every process of a run does. Spawned processes import this module, and with it the whole plug-in."""

import torch

from pointins_ext import plugin  # noqa: F401
from pointins_ext.errors import UserError, exit_on_user_error
from pointins_ext.host import TESTERS, TRAINERS, comm, default_setup, launch


def train(cfg):
    """Train what `cfg` describes."""
    cfg = default_setup(cfg)
    TRAINERS.build(dict(type=cfg.train.type, cfg=cfg)).train()


def test(cfg):
    """Run the tester that `cfg.test` describes. ValueError where the config has none, or it cannot run here."""
    if "test" not in cfg:
        raise UserError(f"{cfg.filename}: nothing to test, test = dict(type=...) is missing; it names a tester")
    tester = TESTERS.get(cfg.test.get("type"))
    if getattr(tester, "__module__", "").startswith("pointcept.") and not torch.cuda.is_available():
        raise UserError(
            f"Pointcept's {cfg.test.type} needs a GPU; none was found. Take one that runs without: "
            "SemanticTester, InstanceTester or PanSegTester"
        )
    cfg.batch_size = comm.get_world_size()  # of a training: here every process has its own scenes
    cfg = default_setup(cfg)
    TESTERS.build(dict(cfg=cfg, **cfg.test)).test()


def start(task, cfg, args):
    """Run `task` (`train` or `test`) in the processes that the command line `args` asks for."""
    launch(
        main_worker,
        num_gpus_per_machine=args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        cfg=(task, cfg),
    )


def main_worker(task, cfg):
    """Body of every process."""
    exit_on_user_error(task, cfg)

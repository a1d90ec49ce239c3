"""Train what a config describes; `sh tools/train.sh` wraps this with experiment folders."""

from common import exit_on_user_error

# At module level, so that spawned processes, which import this file again, register the plug-in too.
from pointins_ext import host
from pointins_ext.host import TRAINERS, default_argument_parser, default_config_parser, default_setup, launch


def main_worker(cfg):
    """Body of every process of the run."""
    exit_on_user_error(train, cfg)


def train(cfg):
    cfg = default_setup(cfg)
    trainer = TRAINERS.build(dict(type=cfg.train.type, cfg=cfg))
    trainer.train()


def main():
    args = default_argument_parser().parse_args()
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
    cfg = default_config_parser(args.config_file, args.options)
    launch(
        main_worker,
        num_gpus_per_machine=args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        cfg=(cfg,),
    )


if __name__ == "__main__":
    exit_on_user_error(main)

"""The request of a training in long flags: read, and checked before anything is written or the host is bound."""

import os

from pointins_ext.checkpoint import require_checkpoint
from pointins_ext.embedded.defaults import SHARED, check_shares
from pointins_ext.extend import switched_config_file
from pointins_ext.host.request import reader


def check(argv):
    """Parsed flags of a training. Raises ValueError if the request cannot work, before anything is written."""
    args = _parsed(argv)
    check_config(configured(reader().read_config, args), args)
    return args


def shared_among(argv, found):
    """The most of `found` GPUs, at least 1, that can share the batch of the training of the long flags `argv`."""
    args = _parsed(argv)
    cfg = configured(reader().read_config, args)
    totals = [cfg[key] for key in SHARED if cfg.get(key)]
    fitting = [n for n in range(1, found + 1) if not any(total % (n * args.num_machines) for total in totals)]
    return max(fitting, default=1)


def _parsed(argv):
    parser = reader().default_argument_parser()
    parser.prog = "pointins train"
    parser.add_argument("--extend", choices=("pointins",), help="add the offset branch to a pretraining config")
    return parser.parse_args(argv)


def configured(parse, args):
    """The config that the command line asks for, by the function `parse` of the host."""
    options = dict(args.options or {})
    if not args.extend or options.get("resume"):
        return parse(args.config_file, options)
    with switched_config_file(args.config_file, options) as path:
        return parse(path, options)


def check_config(cfg, args):
    """Raises ValueError or FileNotFoundError if these processes cannot train it."""
    processes = int(os.environ.get("WORLD_SIZE", max(args.num_gpus, 1) * args.num_machines))
    check_shares(cfg, processes)
    if cfg.get("weight"):
        require_checkpoint(cfg.weight)

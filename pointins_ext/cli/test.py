"""Run the tester of a trained experiment on raw points; tables go to its log and its folder results/.

    pointins test -d pointins -n NAME
    pointins test -d pointins -n NAME -w model_last -- test.save=True data.test.split=test

Experiments and data are relative to the current folder. Overrides key=value follow `--`.

    pointins test --config-file FILE [--num-gpus N] --options save_path=FOLDER weight=FILE [KEY=VALUE ...]

are the long flags of Pointcept's tools/test.py.
"""

import os

from pointins_ext.cli.experiments import (
    add_experiment_arguments,
    become,
    find_config,
    other_interpreter,
    parse_request,
    run_flags,
)
from pointins_ext.flags import verb_parser


def arguments(argv):
    parser = verb_parser("test", __doc__, "pointins test -d DATASET -n NAME [options] [-- key=value ...]")
    add_experiment_arguments(
        parser,
        config="instead of the experiment's own config, found as `train` finds it",
        dataset="folder under exp/",
        weight="name in exp/DATASET/NAME/model, or a path (%(default)s)",
    )
    parser.set_defaults(weight="model_best")
    args = parse_request(parser, argv)
    if not (args.config or args.dataset):
        parser.error("the following arguments are required: -d")
    return args


def main(argv):
    if not any(word.startswith("--config-file") for word in argv):
        args = arguments(argv)
        argv = long_flags(args)
        if python := other_interpreter(args):
            become("test", argv, python)
    from pointins_ext.cli import launch  # only now, because it brings the host

    launch.test(argv)


def long_flags(args):
    """The request in the flags of Pointcept's tools/test.py."""
    config, dataset = find_config(args.config, args.dataset) if args.config else (None, args.dataset)
    folder = os.path.join("exp", dataset, args.name)
    weight = args.weight
    if not os.path.isfile(weight):
        weight = os.path.join(folder, "model", f"{weight.removesuffix('.pth')}.pth")
    return run_flags(args, config or os.path.join(folder, "config.py"), folder, [f"weight={weight}"])

"""Train a config: pretraining, or fine-tuning of a pretrained backbone.

    pointins train -c pointins/pretrain-dos-rooms -n NAME
    pointins train -c pointins/pretrain-dos-scans -n NAME -- data_root=FOLDER grid_size=0.005
    pointins train -c pointins/pretrain-dos-rooms -n NAME -r true

Everything lands in exp/DATASET/NAME, below the current folder. Overrides key=value follow `--`, for example epoch=2
hooks.ODRHook.prior=outdoor. From a clone the run works on a copy of the code, exp/DATASET/NAME/code, and so does the
one that is resumed.

    pointins train --config-file FILE [--num-gpus N] [--extend pointins] --options save_path=FOLDER [KEY=VALUE ...]

are the long flags of Pointcept's tools/train.py: what torchrun and scripts start, without folders of its own.
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
from pointins_ext.snapshot import copy_code, is_checkout


def arguments(argv):
    parser = verb_parser("train", __doc__, "pointins train -c CONFIG -n NAME [options] [-- key=value ...]")
    add_experiment_arguments(
        parser,
        config="shipped config, one of Pointcept's, or a path",
        dataset="folder of configs, when CONFIG is a bare name",
        weight="checkpoint to start from",
    )
    parser.add_argument(
        "-e", dest="extend", choices=("pointins",), help="add the offset branch to a pretraining config"
    )
    parser.add_argument(
        "-r", dest="resume", default="false", choices=("true", "false"), help="resume from the last epoch"
    )
    args = parse_request(parser, argv)
    if not args.config:
        parser.error("the following arguments are required: -c")
    return args


def main(argv):
    if any(word.startswith("--config-file") for word in argv):
        launcher().train(argv)
        return
    args = arguments(argv)
    config, dataset = find_config(args.config, args.dataset)
    folder = os.path.join("exp", dataset, args.name)
    fit_gpus(args, config)
    code = os.path.abspath(os.path.join(folder, "code"))
    extend = ["--extend", args.extend] if args.extend else []
    if args.resume == "true" and os.path.isdir(folder):
        options = ["resume=True", f"weight={os.path.join(folder, 'model', 'model_last.pth')}"]
        flags = [*extend, *run_flags(args, os.path.join(folder, "config.py"), folder, options)]
        # a run sees the code of its snapshot, also when it is resumed after the checkout has moved on
        start(flags, other_interpreter(args), code if os.path.isdir(code) else None)
        return
    options = ["resume=False", *([f"weight={args.weight}"] if args.weight else [])]
    flags = [*extend, *run_flags(args, config, folder, options)]
    # torchrun's processes, or SLURM's machines, would write the one copy at once
    if not is_checkout() or "RANK" in os.environ or args.machines > 1:
        start(flags, other_interpreter(args), None)
        return
    checker().check(flags)
    copy_code(code)
    start(flags, other_interpreter(args), code)


def fit_gpus(args, config):
    """Without -g, no more GPUs than can share the batch; says so where some are left."""
    if args.num_gpus is not None:
        return
    import torch  # here, because --help does without

    args.num_gpus = found = torch.cuda.device_count()
    if found > 1:
        extend = ["--extend", args.extend] if args.extend else []
        args.num_gpus = checker().shared_among([*extend, *run_flags(args, config, "exp", [])], found)
    if args.num_gpus < found:
        print(f"{args.num_gpus} of {found} GPUs can share batch_size; a multiple of {found} takes all", flush=True)


def start(flags, python, code):
    """In this process, unless another interpreter or another copy of the code is asked for."""
    if python or code:
        become("train", flags, python, code)
    launcher().train(flags)


def checker():
    """What tells errors of a request, without the seconds that the host takes to bind."""
    from pointins_ext.cli import request

    return request


def launcher():
    """What trains; it brings the host, which a process that becomes another one does without."""
    from pointins_ext.cli import launch

    return launch

"""What `pointins train` and `pointins test` share: Pointcept's short flags, experiment folders, configs by name."""

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from pointins_ext import CONFIGS
from pointins_ext.flags import at_least
from pointins_ext.snapshot import ROOT, is_checkout


def add_experiment_arguments(parser, config, dataset, weight):
    """-c, -d, -w, -n, -g, -m, -p, as Pointcept's scripts have them; the help of the first three is the verb's."""
    for name, text in dict(config=config, dataset=dataset, weight=weight).items():
        parser.add_argument(f"-{name[0]}", dest=name, metavar=name.upper(), help=text)
    parser.add_argument("-n", dest="name", default="debug", metavar="NAME", help="exp/DATASET/NAME (default: debug)")
    parser.add_argument(
        "-g", dest="num_gpus", type=at_least(0), metavar="N", help="processes on this machine (default: all GPUs)"
    )
    parser.add_argument(
        "-m", dest="machines", type=at_least(1), default=1, metavar="N", help="number of machines, under SLURM"
    )
    parser.add_argument("-p", dest="python", metavar="PYTHON", help="interpreter of the run (default: this one)")


def parse_request(parser, argv):
    """Parsed flags, with the overrides key=value that follow them, after `--` or without it, as `overrides`."""
    end = argv.index("--") if "--" in argv else len(argv)
    args, rest = parser.parse_known_args(argv[:end])
    unknown = [word for word in rest if word.startswith("-") or "=" not in word]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    args.overrides = [*rest, *argv[end + 1 :]]
    return args


def find_config(name, dataset=None):
    """(file, data set) of -c and -d: a path, else a config of ours, else one of Pointcept's.

    The data set is the folder of configs that holds it, for label_efficiency/X pointins. FileNotFoundError with
    similar names if there is none.
    """
    name = name.removesuffix(".py")
    inside = Path(dataset or "", f"{name}.py")
    path = Path(f"{name}.py")
    if path.is_file():
        return path, dataset or path.parent.name
    for root in _config_roots():
        if (root / inside).is_file():
            return root / inside, dataset or inside.parts[0]
    from pointins_ext.embedded.config_file import near_names  # here, because it brings PyTorch

    raise FileNotFoundError(f"config file {inside} not found{near_names(str(inside), list(_config_roots()))}")


def _config_roots():
    """Our folder of configs, then Pointcept's: looking for that brings PyTorch, so only where ours has none."""
    yield CONFIGS
    if theirs := _pointcept_configs():
        yield theirs


def _pointcept_configs():
    if os.environ.get("POINTINS_HOST") == "embedded":
        return None
    from pointins_ext.host.locate import pointcept_root  # here, because it brings PyTorch

    root = pointcept_root()
    return root and root / "configs"


def run_flags(args, config, folder, options):
    """The request in the long flags of Pointcept's tools/train.py and test.py: one process for each GPU."""
    number = args.num_gpus
    if number is None:
        import torch  # here, because --help does without

        number = torch.cuda.device_count()
    flags = {
        "--config-file": config,
        "--num-gpus": number,
        "--num-machines": args.machines,
        "--machine-rank": os.environ.get("SLURM_NODEID", 0),
        "--dist-url": _address(folder) if args.machines > 1 and os.environ.get("SLURM_NODELIST") else "auto",
    }
    words = [str(word) for pair in flags.items() for word in pair]
    return [*words, "--options", f"save_path={folder}", *options, *args.overrides]


def _address(folder):
    """Of the first machine that SLURM gave us, with a port that two experiments rarely share."""
    hosts = subprocess.run(
        ["scontrol", "show", "hostname", os.environ["SLURM_NODELIST"]], check=True, capture_output=True, text=True
    )
    return f"tcp://{hosts.stdout.split()[0]}:{10000 + zlib.crc32(str(folder).encode()) % 20000}"


def other_interpreter(args):
    """Path of the interpreter that -p asks for; None if it is this one. Raises FileNotFoundError if missing."""
    if args.python is None:
        return None
    found = shutil.which(args.python)
    if found is None:
        raise FileNotFoundError(f"-p {args.python}: no such interpreter; give the path of a Python")
    found = os.path.abspath(found)
    return None if found == sys.executable else found


def become(verb, flags, python=None, code=None):
    """This process goes on as `pointins verb` with long `flags`: by `python`, with the copy `code` of the sources.

    Of an installed package there is no copy; it runs where `python` finds it.
    """
    python, environment = python or sys.executable, dict(os.environ)
    source = code or (ROOT if is_checkout() else None)
    call = ["-m", "pointins_ext", verb]
    if source is not None:
        call = [os.path.join(source, "tools", f"{verb}.py")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    if code is not None and os.path.isdir(os.path.join(code, "pointcept")):
        environment["POINTCEPT_ROOT"] = str(code)
    sys.stdout.flush()
    os.execve(python, [python, *call, *flags], environment)

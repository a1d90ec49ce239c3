"""The command `pointins`: one module a verb, imported when it is called for."""

import argparse
import importlib
import os
import select
import sys

VERBS = {
    "demo": "instances of a room and a street made on the spot, with the weights that the package ships",
    "segment": "instances of a scan or a folder of scans; classes too from a checkpoint trained on labels",
    "train": "train a config: pretraining, or fine-tuning on labels",
    "test": "run the tester of an experiment",
    "evaluate": "score a checkpoint's label-free instances beside geometric baselines",
    "study": "what the regularizers make of a checkpoint's offsets, against known centers",
    "export": "the backbone of a checkpoint for Pointcept, sonata or torch-pointcloud",
    "prior": "fit the length prior of ODR to scans, without labels or from them",
    "submit": "pack the predictions of a test for the server of a benchmark",
    "doctor": "what this machine has and lacks, and the command to type next",
    "quickstart": "pretrain on synthetic rooms and segment unseen ones, in minutes",
}
# They import the plug-in themselves, once it is known which copy of the code runs, or that it can be imported.
IMPORT_LATER = ("train", "test", "doctor")


def main(argv=None):
    """Run the command line `argv`, by default this process's; what the user can repair is one line and exit code 2."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        try:
            _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
        if not gone:  # another pipe, such as that of a data worker
            raise
        for stream in gone:  # else Python complains of what is left to write when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(128 + 13)  # what a shell says of a process that SIGPIPE ends


def _run(argv):
    verb = _parser().parse_args(argv[:1]).verb
    if verb == "doctor":  # the others cannot do without PyTorch, which exit_on_user_error imports
        sys.exit(_call(verb, argv[1:]))
    try:
        importlib.import_module("torch")
    except ImportError as error:
        advice = "pip install torch, or name a Python that has it: sh tools/train.sh -p PYTHON"
        print(f"error: PyTorch cannot be imported by {sys.executable} ({error}); {advice}", file=sys.stderr)
        sys.exit(2)
    from pointins_ext.errors import exit_on_user_error

    exit_on_user_error(_call, verb, argv[1:])


def _has_no_reader(stream):
    """Whether what a stream is piped to has ended, as `| head` does."""
    poll = select.poll()
    poll.register(stream, 0)  # errors are told unasked
    return bool(poll.poll(0))


def _call(verb, argv):
    if verb not in IMPORT_LATER:
        importlib.import_module("pointins_ext.plugin")
    return importlib.import_module(f"pointins_ext.cli.{verb}").main(argv)


def _parser():
    lines = "\n".join(f"  {verb:12}{text}" for verb, text in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="pointins",
        usage="pointins VERB [options]",
        description="Instance-aware self-supervised learning for point clouds.",
        epilog=f"verbs:\n{lines}\n\n`pointins VERB --help` says the rest.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, help=argparse.SUPPRESS)
    return parser

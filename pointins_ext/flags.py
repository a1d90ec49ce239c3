"""Command-line flags: a value that makes no sense ends in argparse's one line, before any work is done."""

import argparse
import math

from pointins_ext import files


def verb_parser(verb, description, usage=None):
    """Parser of `pointins VERB`; description: the docstring of its module, printed as it stands."""
    return argparse.ArgumentParser(
        prog=f"pointins {verb}",
        usage=usage,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def at_least(low, kind=int):
    """Type of a number from `low` on, whole unless `kind` is float."""
    return _number(kind, lambda value: value >= low, f"a {_NAMES[kind]} of at least {low}")


def positive(text):
    """Type of a number above 0, such as meters."""
    return _number(float, lambda value: value > 0, "a number above 0")(text)


def output_file(text):
    """Type of a file to write."""
    return _checked(files.require_output_file, text)


def output_folder(text):
    """Type of a folder to write to, which need not exist."""
    return _checked(files.require_output_folder, text)


def add_config_argument(parser):
    """--config FILE, the same for all tools that read a checkpoint."""
    found = "what the checkpoint carries, else the config.py of its experiment, read as data"
    parser.add_argument("--config", metavar="FILE", help=f"config.py of the run, executed as Python (default: {found})")


_NAMES = {int: "whole number", float: "number"}


def _number(kind, accepts, expected):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accepts(value)):
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {expected}")
        return value

    return parse


def _checked(check, text):
    try:
        return check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

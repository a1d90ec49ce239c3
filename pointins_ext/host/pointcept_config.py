"""Overrides of config variables for Pointcept, with the meaning that they have on the embedded host."""

import os
import tempfile
from contextlib import contextmanager, nullcontext

from pointcept.engines import defaults
from pointcept.engines.defaults import default_argument_parser  # noqa: F401
from pointcept.utils.config import Config

from pointins_ext.embedded.config import Config as EmbeddedConfig
from pointins_ext.embedded.config_file import imported_names, read_file
from pointins_ext.embedded.defaults import RUNTIME, check_runtime, default_eval_epoch
from pointins_ext.engine.overrides import with_indices
from pointins_ext.host import stand_ins

# set by every launch, and never part of what a config computes
OF_THE_LAUNCH = ("save_path", "resume", "weight")


def default_config_parser(file_path, options):
    """Pointcept's parser; items of a list may be addressed by type, and variables of the config be replaced.

    An option that names a literal variable replaces it before the file runs: Pointcept merges options into the finished
    tree, where nothing follows a changed `grid_size` or `data_root`. A config without `epoch` or `eval_epoch` gets
    those of the embedded host, where Pointcept would stop.
    """
    read_config(file_path, options)  # Pointcept's parser writes to save_path at once, and asserts later
    with _resolved(file_path, dict(options or {})) as (path, rest):
        return _named(defaults.default_config_parser(path, rest), file_path)


def read_config(file_path, options):
    """Config of a run, checked; nothing is written. Errors of `check_runtime`."""
    with _resolved(file_path, dict(options or {})) as (path, rest):
        cfg = _named(Config.fromfile(path), file_path)
        cfg.merge_from_dict(rest)
    runtime = {key: cfg.get(key, value) for key, value in RUNTIME.items()}
    named = {key: cfg.get(key) for key in ("data", "hooks") if key in cfg}
    check_runtime({**runtime, **named, "seed": runtime["seed"] or 0}, file_path)
    return cfg


def _named(cfg, path):
    """The config, of the file that the user knows and not of the resolved one."""
    object.__setattr__(cfg, "_filename", os.fspath(path))
    return cfg


@contextmanager
def _resolved(path, options):
    """A file without bases and helpers' names, with the options that it has as literals put in; the other options.

    Meanwhile stand-ins are in place if the config has custom imports of others, which may want what Pointcept wants.
    """
    literals = {key: value for key, value in options.items() if key not in OF_THE_LAUNCH}
    tree, used = read_file(path, literals)
    epoch = options.get("epoch", tree.get("epoch"))
    if epoch is None:
        epoch = options["epoch"] = RUNTIME["epoch"]
    if options.get("eval_epoch", tree.get("eval_epoch")) is None:
        options["eval_epoch"] = default_eval_epoch(epoch, path)
    rest = {with_indices(tree, key): value for key, value in options.items() if key not in used}
    foreign = any(name.partition(".")[0] != "pointins_ext" for name in imported_names(tree.get("custom_imports")))
    # not for ours alone: what they wait for, such as torch_geometric, takes seconds to import
    with tempfile.TemporaryDirectory() as folder, stand_ins.installed() if foreign else nullcontext():
        replaced = os.path.join(folder, os.path.basename(path))
        EmbeddedConfig(tree).dump(replaced)
        yield replaced, rest

"""Overrides of config variables for Pointcept, with the meaning that they have on the embedded host."""

import os
import tempfile
from contextlib import contextmanager

from pointcept.engines import defaults

from pointins_ext.embedded.config import Config
from pointins_ext.embedded.config_file import read_file
from pointins_ext.engine.overrides import with_indices

# set by every launch, and never part of what a config computes
OF_THE_LAUNCH = ("save_path", "resume", "weight")


def default_config_parser(file_path, options):
    """Pointcept's parser; items of a list may be addressed by type, and variables of the config be replaced.

    An option that names a literal variable replaces it before the file runs: Pointcept merges options into the finished
    tree, where nothing follows a changed `grid_size` or `data_root`.
    """
    with _with_literals(file_path, dict(options or {})) as (path, rest):
        return defaults.default_config_parser(path, rest)


@contextmanager
def _with_literals(path, options):
    literals = {key: value for key, value in options.items() if key not in OF_THE_LAUNCH}
    tree, used = read_file(path, literals)
    rest = {with_indices(tree, key): value for key, value in options.items() if key not in used}
    if not used:
        yield path, rest
        return
    with tempfile.TemporaryDirectory() as folder:
        replaced = os.path.join(folder, os.path.basename(path))
        Config(tree).dump(replaced)
        yield replaced, rest

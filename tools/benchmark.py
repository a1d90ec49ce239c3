"""Measure the speed of the parts: tools/benchmark, and what `--help` says."""

import os

if __name__ == "__main__":
    # first, as importing pointins_ext chooses the host: Pointcept is what some cases are held against
    os.environ["POINTINS_HOST"] = "embedded"
    from benchmark.command import main  # the folder: a package comes before a module of its name
    from pointins_ext.errors import exit_on_user_error

    exit_on_user_error(main)

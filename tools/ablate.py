"""Run a suite of ablations: tools/ablation, and what `--help` says."""

from ablation.command import main
from pointins_ext.errors import exit_on_user_error

if __name__ == "__main__":
    exit_on_user_error(main)

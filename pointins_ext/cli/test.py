"""Test a trained experiment; `sh tools/test.sh` finds its folder and weights."""

from pointins_ext import host, run
from pointins_ext.errors import exit_on_user_error
from pointins_ext.host import default_argument_parser, default_config_parser


def main():
    args = default_argument_parser().parse_args()
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
    cfg = default_config_parser(args.config_file, dict(args.options or {}, resume=True))
    run.start(run.test, cfg, args)


if __name__ == "__main__":
    exit_on_user_error(main)

"""Train what a config describes; `sh tools/train.sh` wraps this with experiment folders."""

from pointins_ext import host, run
from pointins_ext.errors import exit_on_user_error
from pointins_ext.extend import switched_config_file
from pointins_ext.host import default_argument_parser, default_config_parser


def main():
    parser = default_argument_parser()
    parser.add_argument("--extend", choices=("pointins",), help="add the offset branch to a pretraining config")
    args = parser.parse_args()
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
    options = args.options or {}
    if args.extend and not options.get("resume"):
        with switched_config_file(args.config_file) as path:
            cfg = default_config_parser(path, options)
    else:
        cfg = default_config_parser(args.config_file, options)
    run.start(run.train, cfg, args)


if __name__ == "__main__":
    exit_on_user_error(main)

"""Train what a config describes; `sh tools/train.sh` wraps this with experiment folders."""

import sys

from pointins_ext import host, run
from pointins_ext.errors import exit_on_user_error
from pointins_ext.extend import switched_config_file
from pointins_ext.host import default_argument_parser, default_config_parser, read_config
from pointins_ext.snapshot import run_from_snapshot


def arguments():
    parser = default_argument_parser()
    parser.add_argument("--extend", choices=("pointins",), help="add the offset branch to a pretraining config")
    parser.add_argument(
        "--snapshot", metavar="FOLDER", help="copy the code here, once all is checked, and run the copy"
    )
    return parser.parse_args()


def configured(parse, args):
    """The config that the command line asks for, by the host's function `parse`."""
    options = dict(args.options or {})
    if not args.extend or options.get("resume"):
        return parse(args.config_file, options)
    with switched_config_file(args.config_file) as path:
        return parse(path, options)


def main():
    args = arguments()
    run.check_request(configured(read_config, args), args)
    if args.snapshot:
        place = sys.argv.index("--snapshot")
        run_from_snapshot(args.snapshot, "train.py", sys.argv[1:place] + sys.argv[place + 2 :])
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
    cfg = configured(default_config_parser, args)
    for change in cfg.get("pointins_changes", []):
        print(f"-e pointins: {change}", flush=True)
    run.start(run.train, cfg, args)


if __name__ == "__main__":
    exit_on_user_error(main)
